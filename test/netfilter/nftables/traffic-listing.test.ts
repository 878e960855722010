import { expect, it } from 'vitest'
import { readTraffic } from '../../../netfilter/nftables/traffic-listing.ts'
import { noCounts } from '../../../netfilter/traffic.ts'

const element = (concat: readonly (string | number)[], packets: number, bytes = 0) => ({
  elem: { val: { concat }, counter: { packets, bytes } },
})
const set = (name: string, ...elem: readonly object[]) => ({
  set: { family: 'inet', name, table: 'culvert-traffic', ...(elem.length > 0 && { elem }) },
})
const listing = (...parts: readonly object[]) =>
  JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, { table: { name: 'culvert-traffic' } }, ...parts] })

it('reads what was counted for each place', () => {
  const read = readTraffic(
    listing(
      { counter: { name: 'unmapped', packets: 9, bytes: 500 } },
      set('carried_4', element(['100.64.0.1', 'original'], 2, 200), element(['100.64.0.1', 'reply'], 1, 100)),
      set('carried_6', element(['fd7a:115c:a1e0::1', 'reply'], 3, 300)),
      set('begun_4', element(['100.64.0.1', 'original'], 5)),
      set('refused_6'),
      set('carried_ports', element(['ipv4', 'tcp', 10_000, 'original'], 4, 400)),
      set('refused_ports', element(['ipv4', 'tcp', 10_000, 'reply'], 1)),
      set('carried_pod', element(['ipv6', 'original'], 6, 600)),
      { chain: { name: 'forward' } },
      { rule: { chain: 'forward', expr: [{ set: { op: 'add', elem: {}, set: '@carried_4' } }] } },
    ),
  )
  expect(read).toEqual(
    new Map([
      ['unmapped', { ...noCounts, refused: 9 }],
      ['100.64.0.1', { ...noCounts, toPackets: 2, toBytes: 200, fromPackets: 1, fromBytes: 100, connections: 5 }],
      ['fd7a:115c:a1e0::1', { ...noCounts, fromPackets: 3, fromBytes: 300 }],
      ['IPv4 tcp/10000', { ...noCounts, toPackets: 4, toBytes: 400, refused: 1 }],
      ['IPv6', { ...noCounts, toPackets: 6, toBytes: 600 }],
    ]),
  )
})

it.each(['', '{}', listing(set('carried_4', { elem: { val: 'x' } }))])('what is no listing is an error: %j', (text) => {
  expect(() => readTraffic(text)).toThrow('nft printed counters that cannot be read')
})
