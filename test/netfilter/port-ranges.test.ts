import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { backendPort, type PortRange, rangeText, withoutTcp } from '../../netfilter/port-ranges.ts'
import { ranges } from './random-table.ts'

const tcp = (first: number, last = first, to?: number): PortRange => ({
  protocol: 'tcp',
  first,
  last,
  ...(to !== undefined && { to }),
})

it.each<[string, PortRange[], number[], string[]]>([
  ['a port', [tcp(80), tcp(443)], [443], ['tcp/80']],
  ['one that leads to another', [tcp(8080, 8080, 80)], [8080], []],
  ['none that it has', [tcp(80)], [443], ['tcp/80']],
  ['no port of UDP', [{ protocol: 'udp', first: 443, last: 443 }], [443], ['udp/443']],
  ['the middle of a range', [tcp(80, 90)], [85], ['tcp/80-84', 'tcp/86-90']],
  ['the ends of a range, in any order', [tcp(80, 90)], [90, 80], ['tcp/81-89']],
  ['all of a range', [tcp(80, 81)], [80, 81], []],
])('takes %s out', (_what, from, ports, expected) => {
  expect(withoutTcp(from, ports).map(rangeText)).toEqual(expected)
})

it('leads each other port to where it led before', () => {
  fc.assert(
    fc.property(ranges, fc.array(fc.integer({ min: 1, max: 65_535 })), fc.nat(), (from, some, pick) => {
      const taken = [...some, ...(from.length > 0 ? [from[pick % from.length]!.last] : [])]
      const left = withoutTcp(from, taken)
      for (const port of [...taken, ...from.flatMap(({ first, last }) => [first, last, last + 1])]) {
        const before = backendPort(from, 'tcp', port)
        expect(backendPort(left, 'tcp', port)).toBe(taken.includes(port) ? undefined : before)
        expect(backendPort(left, 'udp', port)).toBe(backendPort(from, 'udp', port))
      }
    }),
  )
})

it('only TCP and UDP have ports', () => {
  expect([backendPort([tcp(80)], 'icmp', 80), backendPort([tcp(80)], 'tcp', undefined)]).toEqual([undefined, undefined])
})
