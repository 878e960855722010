import type { Family } from '../../lib/address.ts'
import type { PortRange } from '../../netfilter/port-ranges.ts'
import { byFamily, emptyTable, type ForwardingTable, forwardingTable, type PortKey } from '../../netfilter/table.ts'

type Pairs = readonly (readonly [string, string])[]

/** A table with L3 ingress alone. */
export const ingressTable = (v4: Pairs, v6: Pairs = [], masquerade = true): ForwardingTable =>
  forwardingTable({ ...emptyTable, ingress: { 4: lists(v4), 6: lists(v6) }, masquerade })

const lists = (pairs: Pairs) => new Map(pairs.map(([address, backend]) => [address, [backend]]))

/** A table with L3 ingress from one address to any of several backends. */
export const severalTable = (address: string, backends: readonly string[], family: Family = 4): ForwardingTable =>
  forwardingTable({
    ...emptyTable,
    ingress: byFamily((one) => new Map(one === family ? [[address, backends]] : [])),
  })

export const source = { 4: '100.64.0.1', 6: 'fd7a:115c:a1e0::1' } as const

/** A table with L3 ingress of some ports of the address in `source`. */
export const byPortTable = (
  ports: readonly PortRange[],
  backends: readonly string[] = ['b'],
  family: Family = 4,
): ForwardingTable =>
  forwardingTable({
    ...emptyTable,
    ingressByPort: byFamily((one) => (one === family ? { addresses: [source[one]], backends, ports } : undefined)),
  })

/** A table with ProxyGroup egress alone: `tcp . 10000` to `100.64.0.2 . 443`. */
export const egressTable = (v4: Pairs, v6: Pairs = []): ForwardingTable =>
  forwardingTable({
    ...emptyTable,
    ports: { 4: new Map(v4) as Map<PortKey, string>, 6: new Map(v6) as Map<PortKey, string> },
    source,
  })
