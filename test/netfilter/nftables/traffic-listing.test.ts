import { expect, it } from 'vitest'
import { readTraffic } from '../../../netfilter/nftables/traffic-listing.ts'
import { noCounts } from '../../../netfilter/traffic.ts'

const table = 'culvert-traffic'
const set = (name: string, ...elements: readonly string[]) =>
  `\tset ${name} {
\t\ttype ipv4_addr . ct_dir
\t\tsize 524288
\t\tflags dynamic
${elements.length === 0 ? '' : `\t\telements = { ${elements.join(',\n\t\t\t     ')} }\n`}\t}
`
const listing = (...parts: readonly string[]) => `table inet ${table} {\n${parts.join('\n')}}\n`

it('reads what was counted for each place', () => {
  const read = readTraffic(
    listing(
      '\tcounter unmapped {\n\t\tpackets 9 bytes 500\n\t}\n',
      set(
        'carried_4',
        '100.64.0.1 . original counter packets 2 bytes 200',
        '100.64.0.1 . reply counter packets 1 bytes 100',
      ),
      set('carried_6', 'fd7a:115c:a1e0::1 . reply counter packets 3 bytes 300'),
      set('begun_4', '100.64.0.1 . original counter packets 5 bytes 1'),
      set('refused_6'),
      set('carried_ports', 'ipv4 . tcp . 10000 . original counter packets 4 bytes 400'),
      set('refused_ports', 'ipv4 . tcp . 10000 . reply counter packets 1 bytes 40'),
      set('carried_pod', 'ipv6 . original counter packets 6 bytes 9007199254740991'),
      '\tchain inward {\n\t\tadd @carried_4 { ct original ip daddr . ct direction counter }\n\t}\n',
    ),
    table,
  )
  expect(read).toEqual(
    new Map([
      ['unmapped', { ...noCounts, refused: 9 }],
      ['100.64.0.1', { ...noCounts, toPackets: 2, toBytes: 200, fromPackets: 1, fromBytes: 100, connections: 5 }],
      ['fd7a:115c:a1e0::1', { ...noCounts, fromPackets: 3, fromBytes: 300 }],
      ['IPv4 tcp/10000', { ...noCounts, toPackets: 4, toBytes: 400, refused: 1 }],
      ['IPv6', { ...noCounts, toPackets: 6, toBytes: 9_007_199_254_740_991 }],
    ]),
  )
})

it.each(['', 'table inet culvert {\n}\n'])('what is no listing of them is an error: %j', (text) => {
  expect(() => readTraffic(text, table)).toThrow('nft printed counters that cannot be read')
})
