import { describe, expect, it } from 'vitest'
import { findRules, renderRemoval } from '../../../netfilter/leftovers/rules.ts'

const listing = (table: string, ...rules: string[]): string =>
  [`*${table}`, ':PREROUTING ACCEPT [0:0]', ...rules.map((rule) => `-A ${rule}`), 'COMMIT', ''].join('\n')
const nat = (...rules: string[]): string => listing('nat', ...rules)

describe('findRules', () => {
  it.each<[string, string, string]>([
    ['nat', 'PREROUTING ! -i tailscale0 -j DNAT --to-destination 100.64.0.2', 'everything to 100.64.0.2'],
    [
      'nat',
      'PREROUTING ! -i tailscale0 -p tcp -m tcp --dport 10000 -m comment --comment "default-db:TCP:10000 -> TCP:443" -j DNAT --to-destination fd7a:115c:a1e0::2:443',
      'default-db: tcp port 10000 to fd7a:115c:a1e0::2 port 443',
    ],
    [
      'nat',
      'PREROUTING -d 100.99.1.1/32 -m comment --comment "svc: svc:web, 100.99.1.1 -> 10.96.0.20" -j DNAT --to-destination 10.96.0.20',
      'svc:web: 100.99.1.1 to 10.96.0.20',
    ],
    ['nat', 'PREROUTING -d 100.64.0.1/32 -j DNAT --to-destination 10.0.0.9', '100.64.0.1 to 10.0.0.9'],
    [
      'nat',
      'PREROUTING -d 100.64.0.1/32 -m statistic --mode nth --every 2 -j DNAT --to-destination 10.0.0.9',
      '100.64.0.1 to 10.0.0.9',
    ],
    [
      'nat',
      'POSTROUTING -d fd7a:115c:a1e0::2/128 -j SNAT --to-source fd7a:115c:a1e0::1',
      'source fd7a:115c:a1e0::1 towards fd7a:115c:a1e0::2',
    ],
    [
      'mangle',
      'FORWARD -i tailscale0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
      'clamp of segments, in',
    ],
  ])('knows %s %s', (table, rule, what) => {
    const [found] = findRules(listing(table, rule))
    expect(found).toMatchObject({ table, what })
    expect(renderRemoval([found!, found!])).toBe(`*${table}\n-D ${rule}\n-D ${rule}\nCOMMIT\n`)
  })

  it.each([
    ['of another device', nat('PREROUTING ! -i eth0 -j DNAT --to-destination 100.64.0.2')],
    ['with a further condition', nat('PREROUTING ! -i tailscale0 -p udp -j DNAT --to-destination 100.64.0.2')],
    ['outside of the tailnet', nat('PREROUTING -d 10.0.0.1/32 -j DNAT --to-destination 10.0.0.9')],
    ['of a network', nat('PREROUTING -d 100.64.0.0/10 -j DNAT --to-destination 10.0.0.9')],
    ['of another source', nat('POSTROUTING -d 100.64.0.2/32 -j SNAT --to-source 10.0.0.5')],
    [
      'whose comment says something else',
      nat(
        'PREROUTING ! -i tailscale0 -p tcp -m tcp --dport 10000 -m comment --comment "db:tcp:10001 -> tcp:443" -j DNAT --to-destination 100.64.0.2:443',
      ),
    ],
    ['in another chain', nat('OUTPUT ! -i tailscale0 -j DNAT --to-destination 100.64.0.2')],
    ['in another table', listing('raw', 'PREROUTING ! -i tailscale0 -j DNAT --to-destination 100.64.0.2')],
    [
      'of tailscaled',
      listing('filter', 'FORWARD -j ts-forward', 'ts-forward -i tailscale0 -j MARK --set-xmark 0x40000/0xff0000'),
    ],
    ['that is no listing', 'iptables: command not found'],
  ])('leaves a rule %s', (_name, text) => {
    expect(findRules(text)).toEqual([])
  })
})
