import * as fc from 'fast-check'
import { byFamily, type ForwardingTable, forwardingTable, type PortKey } from '../../netfilter/table.ts'

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

/** Mostly one. */
const backends = (address: fc.Arbitrary<string>): fc.Arbitrary<readonly string[]> =>
  fc.uniqueArray(address, { minLength: 1, maxLength: 3, size: '-2' })

/** Any table that a plan can give. */
export const randomTable: fc.Arbitrary<ForwardingTable> = fc
  .record({
    ingress4: entries(v4, backends(v4)),
    ingress6: entries(v6, backends(v6)),
    ports4: targets(v4),
    ports6: targets(v6),
    all4: fc.option(v4, { nil: undefined }),
    all6: fc.option(v6, { nil: undefined }),
    exempt: fc.uniqueArray(key, { maxLength: 4 }),
    masquerade: fc.boolean(),
    refuseUnmapped: fc.boolean(),
    own: fc.tuple(v4, v6),
  })
  .map(({ ingress4, ingress6, ports4, ports6, all4, all6, exempt, masquerade, refuseUnmapped, own }) =>
    forwardingTable({
      device: 'tailscale0',
      ingress: { 4: ingress4, 6: ingress6 },
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
  const { masquerade, refuseUnmapped, catchAll, source } = from
  const ingress = byFamily((family) => {
    const single = [...other.ingress[family]].filter(([, list]) => list.length === 1)
    return new Map([...single, ...[...from.ingress[family]].filter(([, list]) => list.length > 1)])
  })
  return forwardingTable({ ...other, ingress, masquerade, refuseUnmapped, catchAll, source })
}
