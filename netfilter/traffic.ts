import { familyName, type Family } from '../lib/address.ts'
import type { Mapping } from './mappings.ts'

/** What was counted of the flows of one mapping. Bytes are those of IP packets, with their headers. */
export type Counts = {
  /** To the target: a backend, or a node of the tailnet. */
  readonly toBytes: number
  /** As the kernel handles them: segments that it carries as one packet count once. */
  readonly toPackets: number
  /** The answers. */
  readonly fromBytes: number
  readonly fromPackets: number
  /** Flows that have begun. */
  readonly connections: number
  /** Answers that refused a flow. */
  readonly refused: number
}

export const noCounts: Counts = {
  toBytes: 0,
  toPackets: 0,
  fromBytes: 0,
  fromPackets: 0,
  connections: 0,
  refused: 0,
}

/** Two counts, value by value. */
export function combined(one: Counts, other: Counts, how: (one: number, other: number) => number): Counts {
  return {
    toBytes: how(one.toBytes, other.toBytes),
    toPackets: how(one.toPackets, other.toPackets),
    fromBytes: how(one.fromBytes, other.fromBytes),
    fromPackets: how(one.fromPackets, other.fromPackets),
    connections: how(one.connections, other.connections),
    refused: how(one.refused, other.refused),
  }
}

/** What is to be counted; it does not change while the agent runs. */
export type CountedModes = {
  /** The name of the tunnel's device. */
  readonly device: string
  /** Flows out of the tailnet, by the address that they are sent to. */
  readonly ingress: boolean
  /** Flows into the tailnet, by the port of the Pod that they are sent to, or all together. */
  readonly egress: 'by-port' | 'together' | undefined
  /** Packets for Tailscale Services without a mapping, which are refused. */
  readonly unmapped: boolean
}

/** What the counters say at one moment, by `placeOf` of the mapping; what nothing was sent to is absent. */
export type Reading = ReadonlyMap<string, Counts>

/** The place of all Tailscale Services without a mapping. */
export const unmappedPlace = 'unmapped'

/** Counters beside the rules, in a table of their own, so that their failure does not concern what is forwarded. */
export type Traffic = {
  /** Begins to count, from zero. */
  readonly begin: (modes: CountedModes) => Promise<void>
  /** Undefined if another program has removed the counters. */
  readonly read: () => Promise<Reading | undefined>
}

/** Where flows are sent to, as a key: an address of the tailnet, a port of the Pod, or the Pod. */
export const placeOf = ({ family, address, ports }: Pick<Mapping, 'family' | 'address' | 'ports'>): string =>
  address ?? podPlace(family, ports?.[0])

/** `port` is undefined for the Pod as a whole. */
export const podPlace = (family: Family, port: string | undefined): string =>
  port === undefined ? familyName(family) : `${familyName(family)} ${port}`
