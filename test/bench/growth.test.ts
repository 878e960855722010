import { describe, expect, it } from 'vitest'
import { grow, growthOf, parseListing, renderListing } from '../../bench/egress/growth.ts'
import { service } from '../../bench/egress/services.ts'

/** What `nft list ruleset` prints for some rules of a shared chain, and a chain for each of some services. */
const listing = (shared: readonly string[], ...services: [string, string][]): string => `table ip filter {
	chain ts-clamp {
		type filter hook forward priority mangle; policy accept;
${shared.map((rule) => `\t\t${rule}\n`).join('')}	}
}
table ip nat {
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		counter packets 6 bytes 370 jump ts-postrouting
	}

${services.map(([name, rule]) => `\tchain ${name} {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\t${rule}\n\t}\n`).join('\n')}}
`

const clamp = 'oifname "tailscale0*" tcp flags syn tcp option maxseg size set rt mtu'
const chainOf = (n: number, protocol = 'tcp'): [string, string] => [
  `service-${n}`,
  `${protocol} dport ${10_000 + n} dnat to 100.72.0.${n}:7000`,
]

const one = parseListing(listing([clamp], chainOf(0)))
const two = parseListing(listing([clamp, clamp], chainOf(1), chainOf(0)))

describe('repeats the growth of a ruleset', () => {
  const growth = growthOf(one, service(0), two, service(1))

  it('for the services of the two listings', () => {
    expect(grow(growth, [service(0)])).toEqual(one)
    expect(grow(growth, [service(0), service(1)])).toEqual(two)
  })

  it('for other services, with their own names, ports, protocols and targets', () => {
    const list = [service(10), service(11, 'udp'), service(12)]
    const wanted = listing([clamp, clamp, clamp], chainOf(10), chainOf(11, 'udp'), chainOf(12))
    expect(grow(growth, list)).toEqual(parseListing(wanted))
  })

  it('as text that nft can read', () => {
    expect(parseListing(renderListing(two))).toEqual(two)
    expect(renderListing(one)).toContain('counter jump ts-postrouting')
  })
})

it.each([
  ['a rule is inserted before others', listing([`${clamp} comment "new"`, clamp], chainOf(0), chainOf(1))],
  ['a rule is removed', listing([], chainOf(0), chainOf(1))],
  ['a chain is removed', listing([clamp], chainOf(1))],
])('refuses a listing that does not only append: %s', (_name, text) => {
  expect(() => growthOf(one, service(0), parseListing(text), service(1))).toThrow('did not leave')
})

it('refuses a listing with more than tables and chains', () => {
  expect(() => parseListing('table ip nat {\n\tset own {\n\t}\n}\n')).toThrow('set own')
})
