import type { Family } from '../lib/address.ts'

/** For each family, values by canonical address text. */
export type ByFamily<T> = Readonly<Record<Family, T>>

/** Builds a value for each family. */
export const byFamily = <T>(value: (family: Family) => T): Record<Family, T> => ({ 4: value(4), 6: value(6) })

/** A protocol and a port of the Pod, such as `tcp . 10000`. */
export type PortKey = `${'tcp' | 'udp'} . ${number}`

/**
 * What the kernel is to forward, as a value: netfilter/nftables renders it and reads it back. Two equal tables render
 * to equal rules.
 */
export type ForwardingTable = {
  /** Own tailnet address, or that of a Tailscale Service → backend. A new flow from the tailnet to the key goes there. */
  readonly ingress: ByFamily<ReadonlyMap<string, string>>
  /** Whether backends see the Pod's address instead of the tailnet client's. */
  readonly masquerade: boolean
  /** What comes from the tailnet for a Tailscale Service that is not in `ingress` is refused, not sent in circles. */
  readonly refuseUnmapped: boolean
  /** The Pod's port → target and its port, such as `100.64.0.2 . 443`. A new flow from the cluster goes there. */
  readonly ports: ByFamily<ReadonlyMap<PortKey, string>>
  /** Where every new flow from the cluster to the Pod goes that is not for one of `exempt`. */
  readonly everything: ByFamily<string | undefined>
  /** The Pod's own ports, sorted. */
  readonly exempt: readonly PortKey[]
  /** The own tailnet address that targets in the tailnet see; there are none of a family without. */
  readonly source: ByFamily<string | undefined>
}

export const emptyTable: ForwardingTable = {
  ingress: byFamily(() => new Map()),
  masquerade: true,
  refuseUnmapped: false,
  ports: byFamily(() => new Map()),
  everything: byFamily(() => undefined),
  exempt: [],
  source: byFamily(() => undefined),
}

/** Every address in the tailnet to which flows from the cluster are sent. */
export const targetsOf = ({ ports, everything }: ForwardingTable, family: Family): Set<string> => {
  const targets = new Set<string>()
  for (const target of ports[family].values()) targets.add(addressOf(target))
  const all = everything[family]
  if (all !== undefined) targets.add(all)
  return targets
}

/** The address of `address . port`. */
const addressOf = (target: string): string => target.slice(0, target.indexOf(' '))
