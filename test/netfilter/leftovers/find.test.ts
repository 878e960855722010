import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findLeftovers, type Leftover } from '../../../netfilter/leftovers/find.ts'
import { readListing } from '../../../netfilter/leftovers/listing.ts'
import { dump, versions } from './dumps.ts'

const words = ({ kind, family, table, chain, what }: Leftover): string =>
  kind === 'chain' ? `${family} ${table}: ${what}` : `${family} ${table} ${chain}: ${what}`
const found = (listing: string): string[] => findLeftovers(listing).map(words)

const clamps = (family: string, times: number): string[] => [
  ...Array.from({ length: times }, () => [
    `${family} filter ts-clamp: clamp of segments, oifname`,
    `${family} filter ts-clamp: clamp of segments, iifname`,
  ]).flat(),
  `${family} filter: chain ts-clamp`,
]

describe.each(versions)('rules of upstream’s agent, listed by nft %s:', (version) => {
  it('finds all that L3 modes stack one above the other', () => {
    expect(found(dump('l3', version))).toEqual([
      'ip nat POSTROUTING: source 100.64.0.3 towards 100.64.0.2',
      'ip nat POSTROUTING: source 100.64.0.3 towards 100.64.0.1',
      'ip nat PREROUTING: 10.98.0.10 to 100.64.0.3',
      'ip nat PREROUTING: everything to 100.64.0.1',
      'ip nat PREROUTING: everything to 100.64.0.2',
      'ip nat PREROUTING: 100.64.0.3 to 10.98.0.77',
      'ip nat PREROUTING: 100.64.0.3 to 10.98.0.11',
      'ip6 nat POSTROUTING: source fd7a:115c:a1e0::1:3 towards fd7a:115c:a1e0::1:1',
      'ip6 nat PREROUTING: everything to fd7a:115c:a1e0::1:1',
      'ip6 nat PREROUTING: everything to fd7a:115c:a1e0::1:1',
      'ip6 nat PREROUTING: fd7a:115c:a1e0::1:3 to fd98::11',
      ...clamps('ip', 4),
      ...clamps('ip6', 3),
    ])
  })

  it('finds all of ProxyGroups', () => {
    expect(found(dump('groups', version))).toEqual([
      'ip nat POSTROUTING: source 100.64.0.4 towards 100.64.0.2',
      'ip nat POSTROUTING: source 100.64.0.4 towards 100.64.0.1',
      'ip nat default-one: default-one: udp port 10001 to 100.64.0.2 port 53',
      'ip nat default-one: default-one: tcp port 10000 to 100.64.0.2 port 80',
      'ip nat: chain default-one',
      'ip nat default-two: default-two: udp port 10011 to 100.64.0.1 port 53',
      'ip nat default-two: default-two: tcp port 10010 to 100.64.0.1 port 80',
      'ip nat: chain default-two',
      'ip nat PREROUTING: svc:web: 100.99.1.2 to 10.96.0.21',
      'ip nat PREROUTING: svc:app: 100.99.1.1 to 10.96.0.20',
      'ip6 nat POSTROUTING: source fd7a:115c:a1e0::1:4 towards fd7a:115c:a1e0::1:2',
      'ip6 nat POSTROUTING: source fd7a:115c:a1e0::1:4 towards fd7a:115c:a1e0::1:1',
      'ip6 nat default-one: default-one: udp port 10001 to fd7a:115c:a1e0::1:2 port 53',
      'ip6 nat default-one: default-one: tcp port 10000 to fd7a:115c:a1e0::1:2 port 80',
      'ip6 nat: chain default-one',
      'ip6 nat 3rd-party: 3rd-party: udp port 10021 to fd7a:115c:a1e0::1:1 port 53',
      'ip6 nat 3rd-party: 3rd-party: tcp port 10020 to fd7a:115c:a1e0::1:1 port 80',
      'ip6 nat: chain 3rd-party',
      'ip6 nat PREROUTING: svc:app: fd7a:115c:a1e0::9901 to fd96::20',
      ...clamps('ip', 4),
      ...clamps('ip6', 3),
    ])
  })

  it('names nothing else: what remains is tailscaled’s', () => {
    for (const name of ['l3', 'groups'] as const) {
      const listing = dump(name, version)
      const left = new Set(findLeftovers(listing).map(({ family, table, handle }) => `${family} ${table} ${handle}`))
      const stays = readListing(listing).rules.filter(
        ({ family, table, handle }) => !left.has(`${family} ${table} ${handle}`),
      )
      expect(new Set(stays.map(({ chain }) => chain))).toEqual(
        new Set(['POSTROUTING', 'ts-postrouting', 'FORWARD', 'INPUT', 'ts-forward', 'ts-input']),
      )
      expect(JSON.stringify(stays)).not.toMatch(/dnat|snat|maxseg/)
    }
  })
})

describe('a similar rule is left alone:', () => {
  const l3 = dump('l3', '1.0.6')
  const groups = dump('groups', '1.0.6')
  const catchAll =
    '"expr": [{"match": {"op": "!=", "left": {"meta": {"key": "oifname"}}, "right": "tailscale0*"}}, {"dnat": {"addr": "100.64.0.2"}}'
  it.each([
    ['another device', groups, '"tailscale0*"', '"tailscale0"', /port|segments|chain/],
    [
      'a catch-all for another device',
      l3,
      '"tailscale0*"',
      '"wg0*"',
      /everything|segments|chain|10\.98\.0\.(77|11)|::11/,
    ],
    [
      'another target than in the mark',
      groups,
      '"addr": "100.64.0.2", "port": 53',
      '"addr": "100.64.0.9", "port": 53',
      /^ip nat.*(udp port 10001|chain default-one)/,
    ],
    ['another port than in the mark', groups, '"right": 10000', '"right": 10002', /tcp port 10000|chain default-one/],
    ['the chain of another service', groups, /(?<=nat |"chain": "|"name": ")default-one/g, 'default-1', /default-one/],
    [
      'another source than in the mark',
      groups,
      '"snat": {"addr": "100.64.0.4"}',
      '"snat": {"addr": "100.64.0.5"}',
      /source 100/,
    ],
    ['no mark', groups, /\n {2}userdata = \{ dst:.*\}/g, '', /source/],
    [
      'a comment instead of a mark',
      groups,
      /userdata = \{ svc:svc:.*,VIP.*\}/g,
      'userdata = { \\x00\\x05svc: app\\x00 }',
      /svc:/,
    ],
    ['a comment of somebody else', l3, catchAll, `"comment": "mine", ${catchAll}`, /everything to 100.64.0.2/],
    ['a counter', l3, catchAll, `${catchAll}, {"counter": {"packets": 0, "bytes": 0}}`, /everything to 100.64.0.2/],
    ['the node’s address without clamp rules', l3, 'ts-clamp', 'my-clamp', /segment|chain|10\.98\.0\.(77|11)|::11/],
    ['an address that is not of the tailnet', l3, '100.64.0.3', '192.0.2.3', /10\.98\.0|source 192/],
    ['another priority', groups, '"prio": -100', '"prio": -99', /port|svc:|chain [d3]/],
    ['another table', groups, '"table": "nat"', '"table": "mine"', /port|svc:|source|chain [d3]/],
    ['another family', groups, '"family": "ip"', '"family": "inet"', /^ip /],
  ] as const)('%s', (_name, listing, from, to, miss) => {
    const changed = listing.replaceAll(from, to)
    expect(changed).not.toBe(listing)
    const expected = found(listing).filter((line) => !miss.test(line))
    expect(found(changed).map((line) => line.replaceAll('192.0.2.3', '100.64.0.3'))).toEqual(expected)
  })

  it('a chain of upstream’s with a foreign rule stays, but loses its own rules', () => {
    const foreign =
      '{"rule": {"family": "ip", "table": "nat", "chain": "default-two", "handle": 99, "expr": [{"accept": null}]}}'
    const changed = groups.replace(']}\n', `, ${foreign}]}\n`)
    expect(found(changed)).toEqual(found(groups).filter((line) => line !== 'ip nat: chain default-two'))
  })
})

type Entry = { readonly rule?: { readonly chain: string; readonly expr: readonly object[] } }

/** The listing with its rules changed by `edit`. */
const edited = (listing: string, edit: (entry: Entry) => unknown): string =>
  listing.replaceAll(/^\{.*$/gm, (json) =>
    JSON.stringify({ nftables: (JSON.parse(json) as { nftables: Entry[] }).nftables.flatMap(edit) }),
  )

describe('a rule with other statements is left alone:', () => {
  const names = fc.constantFrom('l3' as const, 'groups' as const)
  const statement = fc.constantFrom<object>(
    { counter: { packets: 0, bytes: 0 } },
    { accept: null },
    { log: { prefix: 'x' } },
    { masquerade: null },
    { xt: { type: 'match', name: 'comment' } },
    { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'eth0' } },
    { dnat: { addr: '100.64.0.2', port: 80, flags: 'random' } },
  )

  /** The listing with the statements of each rule changed by `change`. */
  const withStatements = (name: 'l3' | 'groups', change: (expr: readonly object[]) => readonly object[]): string =>
    edited(dump(name, '1.1.3'), ({ rule, ...other }) =>
      rule === undefined ? [other] : [{ rule: { ...rule, expr: change(rule.expr) } }],
    )

  it('upstream’s rules with an extra statement', () => {
    fc.assert(
      fc.property(names, statement, fc.nat(4), (name, more, at) => {
        expect(found(withStatements(name, (expr) => expr.toSpliced(at, 0, more)))).toEqual([])
      }),
    )
  })

  it.each([0, 1])('upstream’s rules without statement %i', (at) => {
    for (const name of ['l3', 'groups'] as const) {
      expect(found(withStatements(name, (expr) => expr.toSpliced(at, 1)))).toEqual([])
    }
  })

  it('foreign rules in any chain, which stays as well', () => {
    const places = ['nat PREROUTING', 'nat POSTROUTING', 'nat default-one', 'filter ts-clamp', 'filter FORWARD']
    const rule = fc.record({
      family: fc.constantFrom('ip', 'ip6'),
      place: fc.constantFrom(...places),
      handle: fc.integer({ min: 1000, max: 2000 }),
      expr: fc.array(statement, { minLength: 1, maxLength: 4 }),
    })
    fc.assert(
      fc.property(names, fc.array(rule, { maxLength: 10 }), (name, rules) => {
        const listing = dump(name, '1.1.3')
        const others = rules.map(({ family, place, handle, expr }) => {
          const [table, chain] = place.split(' ')
          return { rule: { family, table, chain, handle, expr } }
        })
        const kept = new Set(others.map(({ rule: { family, table, chain } }) => `${family} ${table}: chain ${chain}`))
        const expected = found(listing).filter((line) => !kept.has(line))
        expect(found(`${listing}${JSON.stringify({ nftables: others })}\n`)).toEqual(expected)
      }),
    )
  })
})
