import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { families, type Family } from '../../../lib/address.ts'
import { kindOf, marks } from '../../../netfilter/iptables/marks.ts'
import { type Rules, rulesOf, type TableName } from '../../../netfilter/iptables/rules.ts'
import { emptyTable, type ForwardingTable, forwardingTable, type PortKey } from '../../../netfilter/table.ts'
import { randomTable } from '../random-table.ts'
import { byPortTable, egressTable, ingressTable, severalTable, source } from '../tables.ts'
import { judge, type Packet } from './packet.ts'

const device = 'tun0'
const rules = (table: ForwardingTable, family: Family = 4): Rules => rulesOf({ ...table, device }, family)
const text = (all: Rules): string =>
  Object.values(all)
    .flatMap(({ chains }) => [...chains].flatMap(([name, list]) => list.map((rule) => `${name} ${rule}`)))
    .join('\n')
const fate = (table: ForwardingTable, packet: Packet, family: Family = 4) => judge(rules(table, family).nat, packet)

describe('rules', () => {
  it.each<[string, Partial<ForwardingTable>, Family, RegExp]>([
    ['masquerade if set', {}, 4, /-SOURCE ! -o tun0 .* -j MASQUERADE$/m],
    [
      'set the source address in the tailnet',
      { source },
      6,
      /-SOURCE -o tun0 .* -j SNAT --to-source fd7a:115c:a1e0::1$/m,
    ],
    ['lead everything', { catchAll: source }, 4, /-ALL -j DNAT --to-destination 100\.64\.0\.1$/m],
    [
      'exempt the Pod’s own ports',
      { catchAll: source, exempt: ['udp . 41641'] },
      4,
      /-ALL -p udp -m udp --dport 41641 -j RETURN\nCULVERT-ALL -j DNAT/,
    ],
    ['refuse unmapped services', { refuseUnmapped: true }, 4, /-OUTOF -d 100\.64\.0\.0\/10 .*0x30000000/],
    ['refuse them for IPv6', { refuseUnmapped: true }, 6, /-OUTOF -d fd7a:115c:a1e0::\/48 .*0x30000000/],
    ['refuse TCP with a reset', { refuseUnmapped: true }, 6, /-FORWARD -p tcp .* -j REJECT --reject-with tcp-reset$/m],
    [
      'refuse everything else',
      { refuseUnmapped: true },
      6,
      /-FORWARD .* -j REJECT --reject-with icmp6-port-unreachable$/m,
    ],
    [
      'write addresses as the kernel lists them',
      { source: { 4: undefined, 6: '::c000:207' } },
      6,
      /--to-source ::192\.0\.2\.7$/m,
    ],
  ])('%s', (_name, change, family, expected) => {
    expect(text(rules({ ...emptyTable, ...change }, family))).toMatch(expected)
    expect(text(rules({ ...emptyTable, masquerade: false }, family))).not.toMatch(expected)
  })

  it('guard, clamp and accept everything that is forwarded', () => {
    for (const family of families) {
      const said = text(rules({ ...emptyTable, masquerade: false }, family))
      expect(said.match(/-GUARD .* -j DROP$/gm)).toHaveLength(2)
      expect(said.match(/-(INTO|OUTOF) -p tcp .* -j TCPMSS --clamp-mss-to-pmtu$/gm)).toHaveLength(2)
      expect(said.match(/-FORWARD .* -j ACCEPT$/gm)).toHaveLength(1)
    }
  })

  it('write an IPv6 target with its port in brackets', () => {
    const table = egressTable([], [['tcp . 80', 'fd7a:115c:a1e0::2 . 8080']])
    expect(text(rules(table, 6))).toContain('--dport 80 -j DNAT --to-destination [fd7a:115c:a1e0::2]:8080')
  })

  it('the kernel’s chains jump to ours, and every chain has a jump to it', () => {
    fc.assert(
      fc.property(randomTable, fc.constantFrom<Family>(4, 6), (table, family) => {
        for (const { jumps, chains } of Object.values(rules(table, family))) {
          const targets = [...jumps.map(({ to }) => to), ...targetsOf([...chains.values()].flat())]
          expect(new Set(targets)).toEqual(new Set(chains.keys()))
        }
      }),
    )
  })

  it('only the table nat changes if a service is added or removed', () => {
    const [before, after] = [egressTable([['tcp . 1', '100.64.0.2 . 1']]), egressTable([])].map((table) => rules(table))
    const differing = (['mangle', 'filter', 'nat'] satisfies TableName[]).filter(
      (name) => JSON.stringify([...before![name].chains]) !== JSON.stringify([...after![name].chains]),
    )
    expect(differing).toEqual(['nat'])
  })

  it('give several backends of an address equal probabilities', () => {
    const { chains } = rules(severalTable('100.64.0.1', ['10.0.0.1', '10.0.0.2', '10.0.0.3'])).nat
    expect(chains.get('CULVERT-IN')).toContain('-d 100.64.0.1/32 -j CULVERT-OF-64400001')
    expect(chains.get('CULVERT-OF-64400001')).toEqual([
      '-m statistic --mode random --probability 0.33333333349 -j DNAT --to-destination 10.0.0.1',
      '-m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.0.0.2',
      '-j DNAT --to-destination 10.0.0.3',
    ])
  })
})

it('gives several backends a chain for all ports that stay the same, and one for each other port', () => {
  const ports = [
    { protocol: 'tcp', first: 80, last: 90 },
    { protocol: 'udp', first: 53, last: 53, to: 5353 },
  ] as const
  const { chains } = rules(byPortTable(ports, ['fd00::8', 'fd00::9'], 6), 6).nat
  expect(chains.get('CULVERT-IN-TCP')).toEqual(['-p tcp -m tcp --dport 80:90 -j CULVERT-TO'])
  expect(chains.get('CULVERT-IN-UDP')).toEqual(['-p udp -m udp --dport 53 -j CULVERT-TO-UDP-5353'])
  expect(chains.get('CULVERT-TO-UDP-5353')).toEqual([
    '-p udp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination [fd00::8]:5353',
    '-p udp -j DNAT --to-destination [fd00::9]:5353',
  ])
})

it('compares a packet with at most sixteen rules in each chain, however many ports are listed', () => {
  const ports = Array.from(
    { length: 5000 },
    (_, index) => ({ protocol: 'tcp', first: 2 + 13 * index, last: 6 + 13 * index }) as const,
  )
  const { chains } = rules(byPortTable(ports)).nat
  expect(Math.max(...[...chains.values()].map(({ length }) => length))).toBe(16)
})

const targetsOf = (all: readonly string[]): string[] =>
  all.flatMap((rule) => / -[jg] (CULVERT-\S+)$/.exec(` ${rule}`)?.[1] ?? [])

/** Where a packet from the tunnel goes; `lucky`: to the first of several backends. */
function inward(table: ForwardingTable, family: Family, to: string, protocol: string, port: number, lucky: boolean) {
  const at = lucky ? 0 : -1
  const byPort = table.ingressByPort[family]
  if (!byPort?.addresses.includes(to)) return table.ingress[family].get(to)?.at(at)
  const backend = byPort.backends.at(at)!
  const listed = byPort.ports.find((range) => range.protocol === protocol && range.first <= port && port <= range.last)
  if (listed?.to === undefined) return listed && backend
  return family === 4 ? `${backend}:${listed.to}` : `[${backend}]:${listed.to}`
}

describe('a new connection', () => {
  const none = { to: undefined, mark: 0, connection: 0 }
  const ingress = { mark: 0x80000, connection: marks.ingress }

  it.each<[string, ForwardingTable, Packet, object]>([
    [
      'from the tailnet to a backend',
      ingressTable([['100.64.0.1', '10.0.0.9']]),
      { device, to: '100.64.0.1', local: true, protocol: 'icmp' },
      { to: '10.0.0.9', ...ingress },
    ],
    [
      'from the tailnet to another address',
      ingressTable([['100.64.0.1', '10.0.0.9']]),
      { device, to: '100.64.0.3', local: true, protocol: 'icmp' },
      none,
    ],
    [
      'from outside of the tailnet to an own address',
      ingressTable([['100.64.0.1', '10.0.0.9']]),
      { device: 'eth0', to: '100.64.0.1', local: true, protocol: 'icmp' },
      none,
    ],
    [
      'from the cluster to a port',
      egressTable([['tcp . 80', '100.64.0.2 . 443']]),
      { device: 'eth0', to: '10.0.0.5', local: true, protocol: 'tcp', port: 80 },
      { to: '100.64.0.2:443', mark: 0, connection: marks.egress },
    ],
    [
      'from a peer to that port',
      egressTable([['tcp . 80', '100.64.0.2 . 443']]),
      { device, to: '100.64.0.1', local: true, protocol: 'tcp', port: 80 },
      none,
    ],
    [
      'that is only routed',
      egressTable([['tcp . 80', '100.64.0.2 . 443']]),
      { device: 'eth0', to: '10.0.0.7', local: false, protocol: 'tcp', port: 80 },
      none,
    ],
    [
      'to an own port of the Pod',
      forwardingTable({ ...emptyTable, catchAll: source, exempt: ['tcp . 9002'] }),
      { device: 'eth0', to: '10.0.0.5', local: true, protocol: 'tcp', port: 9002 },
      none,
    ],
    [
      'without ports, if everything is forwarded',
      forwardingTable({ ...emptyTable, catchAll: source, exempt: ['tcp . 9002'] }),
      { device: 'eth0', to: '10.0.0.5', local: true, protocol: 'icmp' },
      { to: '100.64.0.1', mark: 0, connection: marks.egress },
    ],
  ])('%s', (_name, table, packet, expected) => {
    expect(fate(table, packet)).toEqual(expected)
  })

  it('goes to its target in any table', () => {
    const packets = fc.record({
      fromTunnel: fc.boolean(),
      lucky: fc.boolean(),
      pick: fc.nat(),
      port: fc.integer({ min: 1, max: 65_535 }),
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    })
    fc.assert(
      fc.property(
        randomTable,
        fc.constantFrom<Family>(4, 6),
        packets,
        (table, family, { pick, fromTunnel, lucky, ...any }) => {
          const byPort = table.ingressByPort[family]
          const addresses = [...table.own[family].keys(), table.source[family]!]
          const keys = [
            ...table.ports[family].keys(),
            ...table.exempt,
            ...(byPort?.ports ?? []).map(
              ({ protocol, first, last }): PortKey => `${protocol} . ${pick % 2 > 0 ? first : last}`,
            ),
            `${any.protocol} . ${any.port}` satisfies PortKey,
          ]
          const key = keys[pick % keys.length]!
          const [protocol = '', port] = key.split(' . ')
          const to = addresses[pick % addresses.length]!
          const packet = { device: fromTunnel ? device : 'eth0', to, local: true, port: Number(port), lucky }
          const { to: sent, connection, mark } = fate(table, { ...packet, protocol: protocol as 'tcp' }, family)
          const mapped = table.ports[family].get(key)?.replace(/^(.*) . (\d+)$/, family === 4 ? '$1:$2' : '[$1]:$2')
          const everything = table.exempt.includes(key) ? undefined : table.catchAll[family]
          expect(sent).toBe(
            fromTunnel ? inward(table, family, to, protocol, Number(port), lucky) : (mapped ?? everything),
          )
          expect(kindOf(connection)).toBe(sent === undefined ? undefined : fromTunnel ? 'ingress' : 'egress')
          expect(mark).toBe(fromTunnel && sent !== undefined ? 0x80000 : 0)
        },
      ),
    )
  })
})

it('other bits do not change the kind of a mark', () => {
  const kinds = [0, 0x1000_0000, 0x2fff_ffff, 0xf00f_0000, 0x4000_0001, undefined].map(kindOf)
  expect(kinds).toEqual([undefined, 'ingress', 'egress', 'refused', undefined, undefined])
})
