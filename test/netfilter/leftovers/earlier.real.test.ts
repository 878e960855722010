import { afterAll, beforeAll, expect, it } from 'vitest'
import { CommandError, type RunCommand } from '../../../lib/command.ts'
import { chooseBackend } from '../../../netfilter/backend.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { type FirewallName, firewallOf } from '../firewalls.ts'
import { runIn } from '../run-in.ts'
import { ingressTable } from '../tables.ts'

// An agent after a killed one that used another firewall.
let bed: Bed
const runInNode = runIn(() => bed.host('node'))
beforeAll(async () => {
  bed = await startBed({ hosts: { node: { network: 'cluster' } } })
})
afterAll(async () => bed.down())

const alive = () => false
const to = (backend: string) => ingressTable([['100.64.0.1', backend]], [['fd7a:115c:a1e0::1', 'fd00::9']])

it.each<[FirewallName, FirewallName]>([
  ['nftables', 'iptables-nft'],
  ['iptables-nft', 'nftables'],
  ['iptables-legacy', 'nftables'],
  ['iptables-legacy', 'iptables-nft'],
  ['iptables-nft', 'iptables-legacy'],
])('removes what was written with %s, once its own rules stand in %s', async (first, second) => {
  await firewallOf(first, runInNode).ensure(to('10.0.0.8'), alive)
  await runInNode('nft', ['add', 'table', 'inet', 'other'])
  // The first probe fails where the older variant is to be used.
  const run: RunCommand = async (program, args, options) => {
    const isProbe = options?.input?.includes('CULVERT-PROBE') === true
    if (second === 'iptables-legacy' && isProbe && program.includes('-nft-')) throw new CommandError('no')
    return runInNode(program, args, options)
  }
  const [ahead, log]: [() => typeof feed, string[]] = [() => feed, []]
  const feed = (input: string) => run('nft', ['-f', '-'], { input })
  const options = {
    run,
    runAhead: ahead,
    families: [4, 6],
    several: false,
    device: 'tailscale0',
    localAddresses: () => [],
  } as const
  const mode = second === 'nftables' ? 'nftables' : 'iptables'
  const backend = await chooseBackend(mode, { ...options, log: ({ text }) => log.push(text) })
  await backend.firewall.ensure(to('10.0.0.9'), alive)
  await backend.removeLeftovers()
  const listings = await Promise.all(
    ['iptables-nft', 'ip6tables-nft', 'iptables-legacy', 'ip6tables-legacy'].map((name) =>
      runInNode(`${name}-save`, []),
    ),
  )
  const all = [...listings, await runInNode('nft', ['list', 'ruleset'])].join('')
  expect(all).not.toContain('10.0.0.8')
  expect(all).toContain('10.0.0.9')
  expect(all).toContain('table inet other')
  expect(log.at(-1)).toMatch(/^removed what an earlier agent of Culvert wrote with /)
  expect(await backend.firewall.ensure(to('10.0.0.9'), alive)).toBe(false)
  const count = log.length
  await backend.removeLeftovers()
  expect(log).toHaveLength(count)
  await backend.firewall.remove()
  const rest = await Promise.all(['iptables-nft', 'ip6tables-legacy'].map((name) => runInNode(`${name}-save`, [])))
  expect(rest.join('')).not.toContain('CULVERT')
})
