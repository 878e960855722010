import * as fc from 'fast-check'
import { type PortRange, protocols } from '../../netfilter/port-ranges.ts'
import {
  byFamily,
  type ForwardingTable,
  forwardingTable,
  type IngressByPort,
  type PortKey,
} from '../../netfilter/table.ts'

const v4 = fc.integer({ min: 1, max: 40 }).map((last) => `100.64.0.${last}`)
const v6 = fc.integer({ min: 1, max: 40 }).map((last) => `fd7a:115c:a1e0::${last.toString(16)}`)
const port = fc.integer({ min: 1, max: 65_535 })
const key = fc
  .tuple(fc.constantFrom('tcp', 'udp'), port)
  .map(([protocol, number]) => `${protocol} . ${number}` satisfies PortKey)

const entries = <K extends string, V>(keys: fc.Arbitrary<K>, values: fc.Arbitrary<V>): fc.Arbitrary<Map<K, V>> =>
  fc.uniqueArray(fc.tuple(keys, values), { selector: ([name]) => name, maxLength: 12 }).map((list) => new Map(list))

const targets = (address: fc.Arbitrary<string>) =>
  entries(
    key,
    fc.tuple(address, port).map((pair) => pair.join(' . ')),
  )

/** Usually one backend. */
const backends = (address: fc.Arbitrary<string>): fc.Arbitrary<readonly string[]> =>
  fc.uniqueArray(address, { minLength: 1, maxLength: 3, size: '-2' })

const onePort = fc
  .tuple(port, fc.option(port, { nil: undefined }))
  .map(([first, to]) => ({ first, last: first, ...(to !== undefined && to !== first && { to }) }))
const range = fc.tuple(port, fc.nat(300)).map(([first, more]) => ({ first, last: Math.min(first + more, 65_535) }))

/** Often more than a chain of iptables holds. */
export const ranges: fc.Arbitrary<readonly PortRange[]> = fc
  .tuple(
    ...protocols.map((protocol) =>
      fc
        .array(fc.oneof(onePort, range), { maxLength: 40, size: 'max' })
        .map((list) => disjoint(list).map((one) => ({ protocol, ...one }))),
    ),
  )
  .map((lists) => lists.flat())

const disjoint = <Range extends Pick<PortRange, 'first' | 'last'>>(list: readonly Range[]): Range[] =>
  list
    .toSorted((one, other) => one.first - other.first)
    .reduce<Range[]>((kept, one) => (one.first > (kept.at(-1)?.last ?? 0) ? [...kept, one] : kept), [])

/** Own addresses that `ingress` does not have. */
const byPort = (addresses: readonly string[], address: fc.Arbitrary<string>): fc.Arbitrary<IngressByPort | undefined> =>
  fc.option(
    fc.record({
      addresses: fc.shuffledSubarray([...addresses], { minLength: 1 }),
      backends: backends(address),
      ports: ranges,
    }),
    { nil: undefined },
  )

/** Any table that a plan can produce. */
export const randomTable: fc.Arbitrary<ForwardingTable> = fc
  .record({
    ingress4: entries(v4, backends(v4)),
    ingress6: entries(v6, backends(v6)),
    byPort4: byPort(['100.64.1.1', '100.64.1.2'], v4),
    byPort6: byPort(['fd7a:115c:a1e0::101', 'fd7a:115c:a1e0::102'], v6),
    ports4: targets(v4),
    ports6: targets(v6),
    all4: fc.option(v4, { nil: undefined }),
    all6: fc.option(v6, { nil: undefined }),
    exempt: fc.uniqueArray(key, { maxLength: 4 }),
    masquerade: fc.boolean(),
    refuseUnmapped: fc.boolean(),
    own: fc.tuple(v4, v6),
  })
  .map(
    ({ ingress4, ingress6, byPort4, byPort6, ports4, ports6, all4, all6, exempt, masquerade, refuseUnmapped, own }) =>
      forwardingTable({
        device: 'tailscale0',
        ingress: { 4: ingress4, 6: ingress6 },
        ingressByPort: { 4: byPort4, 6: byPort6 },
        ports: { 4: ports4, 6: ports6 },
        catchAll: { 4: all4, 6: all6 },
        exempt: exempt.toSorted(),
        masquerade,
        refuseUnmapped,
        source: { 4: own[0], 6: own[1] },
      }),
  )

/** `other` with all of `from` that rules depend on, so that they differ only by elements. */
export const withRulesOf = (from: ForwardingTable, other: ForwardingTable): ForwardingTable => {
  const { ingressByPort, masquerade, refuseUnmapped, catchAll, source } = from
  const ingress = byFamily((family) => {
    const single = [...other.ingress[family]].filter(([, list]) => list.length === 1)
    return new Map([...single, ...[...from.ingress[family]].filter(([, list]) => list.length > 1)])
  })
  return forwardingTable({ ...other, ingress, ingressByPort, masquerade, refuseUnmapped, catchAll, source })
}
