import type { Family } from '../lib/address.ts'
import { inOrder } from './in-order.ts'
import type { PortRange } from './port-ranges.ts'

/** The default name of tailscaled's device. */
export const defaultDevice = 'tailscale0'

/** For each family, values by canonical address text. */
export type ByFamily<T> = Readonly<Record<Family, T>>

/** Builds a value for each family. */
export const byFamily = <T>(value: (family: Family) => T): Record<Family, T> => ({ 4: value(4), 6: value(6) })

/** A protocol and a port of the Pod, such as `tcp . 10000`. */
export type PortKey = `${'tcp' | 'udp'} . ${number}`

/** Addresses as keys of a map without values, like sets in the kernel. */
export type AddressSet = ReadonlyMap<string, ''>

/**
 * What the kernel should forward, as a value: netfilter/nftables renders it and reads it back. Equal tables render to
 * equal rules.
 */
export type ForwardingTable = {
  /** tailscaled's device: tailnet traffic arrives and leaves through it. */
  readonly device: string
  /**
   * Own tailnet address, or that of a Tailscale Service → its backends, at least one, each once. A new flow from the
   * tailnet to the key goes to one of them, with equal probability.
   */
  readonly ingress: ByFamily<ReadonlyMap<string, readonly string[]>>
  /** The same for some ports only: all else that arrives for these addresses stays with tailscaled and the Pod. */
  readonly ingressByPort: ByFamily<IngressByPort | undefined>
  /** Whether backends see the Pod's address instead of the tailnet client's. */
  readonly masquerade: boolean
  /** Whether tailnet traffic for a Tailscale Service that is missing in `ingress` is refused instead of sent on. */
  readonly refuseUnmapped: boolean
  /** The Pod's port → target and its port, such as `100.64.0.2 . 443`. A new flow from the cluster goes there. */
  readonly ports: ByFamily<ReadonlyMap<PortKey, string>>
  /** Where every new flow from the cluster to the Pod goes, except for the ports in `exempt`. */
  readonly catchAll: ByFamily<string | undefined>
  /** The Pod's own ports, sorted. */
  readonly exempt: readonly PortKey[]
  /** The own tailnet address that targets in the tailnet see; families without one have no targets. */
  readonly source: ByFamily<string | undefined>
  /**
   * The addresses by which flows are recognised as ours: those of `ingress` and `ingressByPort`, and every tailnet
   * address that flows are sent to.
   */
  readonly own: ByFamily<AddressSet>
  readonly targets: ByFamily<AddressSet>
}

/** Own addresses, of which these ports lead to one of the backends; at least one of each, but possibly no port. */
export type IngressByPort = {
  readonly addresses: readonly string[]
  readonly backends: readonly string[]
  /** Disjoint, and sorted within a protocol. */
  readonly ports: readonly PortRange[]
}

/** The backends of an own address, whatever its ports. */
export function backendsOf(table: ForwardingTable, family: Family, address: string): readonly string[] {
  const byPort = table.ingressByPort[family]
  return table.ingress[family].get(address) ?? (byPort?.addresses.includes(address) ? byPort.backends : [])
}

/** The address of a value of `ports`. */
export const targetAddress = (target: string): string => target.slice(0, target.indexOf(' '))

/** Completes a table with what follows from the rest; done once, since a large table is compared with many others. */
export function forwardingTable(parts: Omit<ForwardingTable, 'own' | 'targets'>): ForwardingTable {
  const setOf = (addresses: Iterable<string>, more: Iterable<string> = []): AddressSet => {
    const set = new Map<string, ''>()
    for (const address of addresses) set.set(address, '')
    for (const address of more) set.set(address, '')
    return set
  }
  const targets = (family: Family): string[] => {
    const catchAll = parts.catchAll[family]
    const mapped = inOrder(parts.ports[family]).map(({ value }) => targetAddress(value))
    return catchAll === undefined ? mapped : [...mapped, catchAll]
  }
  return {
    ...parts,
    own: byFamily((family) => setOf(parts.ingress[family].keys(), parts.ingressByPort[family]?.addresses)),
    targets: byFamily((family) => setOf(targets(family))),
  }
}

export const emptyTable: ForwardingTable = forwardingTable({
  device: defaultDevice,
  ingress: byFamily(() => new Map()),
  ingressByPort: byFamily(() => undefined),
  masquerade: true,
  refuseUnmapped: false,
  ports: byFamily(() => new Map()),
  catchAll: byFamily(() => undefined),
  exempt: [],
  source: byFamily(() => undefined),
})
