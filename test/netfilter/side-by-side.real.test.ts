import { afterAll, beforeAll, expect, it } from 'vitest'
import { chooseBackend } from '../../netfilter/backend.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { firewallOf, firewalls } from './firewalls.ts'
import { runIn } from './run-in.ts'
import { egressTable, ingressTable } from './tables.ts'

// Rules of other programs, with all three programs that write rules.
let bed: Bed
const run = runIn(() => bed.host('node'))
beforeAll(async () => {
  bed = await startBed({ hosts: { node: { network: 'cluster' } } })
})
afterAll(async () => bed.down())

const alive = () => false
const variants = ['iptables-nft', 'ip6tables-nft', 'iptables-legacy', 'ip6tables-legacy']

/** What a service mesh does to a Pod, and a table of nftables. */
async function addOthers(): Promise<void> {
  const port = '-p tcp -m tcp --dport 15006'
  const input = `*nat
:MESH - [0:0]
-A PREROUTING -p tcp -j MESH
-A MESH ${port} -j RETURN
-A MESH -i lo -j ACCEPT
COMMIT
*filter
-I FORWARD -p udp -m comment --comment "another program" -j ACCEPT
COMMIT
`
  for (const variant of variants) await run(`${variant}-restore`, ['--noflush'], { input })
  const table =
    'table inet other { chain c { type nat hook prerouting priority -100; tcp dport 1 dnat ip to 10.0.0.1; }; }'
  await run('nft', ['-f', '-'], { input: table })
}

/** All rules of the other programs, in their order. */
async function others(): Promise<string[]> {
  const listings = [await run('nft', ['list', 'table', 'inet', 'other'])]
  for (const variant of variants) listings.push(await run(`${variant}-save`, []))
  return listings.map((listing) =>
    listing
      .split('\n')
      .filter((line) => !/^[#*:]|^COMMIT|CULVERT/.test(line) || line.startsWith(':MESH'))
      .join('\n'),
  )
}

it.each(firewalls)('%s leaves rules of other programs alone, whichever program wrote them', async (firewall) => {
  await run('nft', ['flush', 'ruleset'])
  for (const variant of variants.slice(2)) for (const flag of ['-F', '-X']) await run(variant, ['-t', 'nat', flag])
  for (const variant of variants.slice(2)) await run(variant, ['-F'])
  await addOthers()
  const before = await others()
  expect(before.every((listing) => /MESH|dnat/.test(listing))).toBe(true)
  const rules = firewallOf(firewall, run)
  const one = {
    ...ingressTable([['100.64.0.1', '10.0.0.9']], [['fd7a:115c:a1e0::1', 'fd00::9']]),
    refuseUnmapped: true,
  }
  await rules.prepare('tailscale0')
  expect([await rules.ensure(one, alive), await rules.ensure(one, alive)]).toEqual([true, false])
  expect(await rules.ensure(egressTable([['tcp . 80', '100.64.0.2 . 80']]), alive)).toBe(true)
  expect(await others()).toEqual(before)
  await rules.remove()
  expect(await others()).toEqual(before)
})

it('iptables-legacy is used for a family whose table of iptables another program has changed with nft', async () => {
  await run('nft', ['flush', 'ruleset'])
  const table = 'table ip nat { chain c { ip daddr 10.0.0.1 tcp dport { 1, 2 } dnat to 10.0.0.2; }; }'
  await run('nft', ['-f', '-'], { input: table })
  const options = {
    run,
    runAhead: () => async () => '',
    families: [4, 6],
    several: false,
    device: 'tailscale0',
  } as const
  const backend = await chooseBackend('iptables', { ...options, localAddresses: () => [], log: () => {} })
  expect(backend.reason).toMatch(
    /iptables-legacy for IPv4 and ip6tables-nft for IPv6.*iptables-nft: the kernel’s IPv4 table nat cannot be listed.*remove them/,
  )
  await backend.firewall.ensure(ingressTable([['100.64.0.1', '10.0.0.9']]), alive)
  expect(await run('nft', ['list', 'table', 'ip', 'nat'])).not.toMatch(/CULVERT|ACCEPT/)
  expect(await run('iptables-legacy-save', [])).toContain('10.0.0.9')
  await backend.firewall.remove()
})

it('a table that another program changes with nft later is reported, and the rules stay as they are', async () => {
  await run('nft', ['flush', 'ruleset'])
  const rules = firewallOf('iptables-nft', run)
  await rules.ensure(ingressTable([['100.64.0.1', '10.0.0.9']]), alive)
  const listed = async () =>
    (await run('nft', ['list', 'table', 'ip', 'nat'])).replaceAll(/counter \S+ \S+ \S+ \S+/g, '')
  await run('nft', ['add', 'rule', 'ip', 'nat', 'POSTROUTING', 'ip', 'daddr', '10.0.0.1', 'snat', 'to', '10.0.0.2'])
  const before = await listed()
  for (let attempt = 0; attempt < 2; attempt += 1) {
    rules.invalidate()
    await expect(rules.ensure(ingressTable([['100.64.0.1', '10.0.0.9']]), alive)).rejects.toMatchObject({
      code: 'netfilter',
      message: expect.stringMatching(/IPv4 table nat cannot be listed/),
      remedy: expect.stringMatching(/with nft.*TS_DEBUG_FIREWALL_MODE=nftables/),
    })
  }
  expect(await listed()).toBe(before)
})
