import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { RunCommand } from '../../../lib/command.ts'
import { removeLeftovers, removeRules } from '../../../netfilter/leftovers/remove.ts'
import { without } from '../../agent/firewall.ts'
import { onDisk } from '../../agent/proxy.ts'
import { SecretBed } from '../../agent/secret-bed.ts'
import { ask, type Bed, startBed, startEcho } from '../../lab/bed.ts'
import { poll } from '../../lab/poll.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { egressServices, writeToProxy, ingressServices, peer, Upstream } from './upstream.ts'

// What upstream's agent actually leaves, in a real kernel.
let bed: Bed<'client' | 'other' | 'proxy' | 'backend'>
let commands: string[][]
let writes: string[]
let log: string[]

const run: RunCommand = async (program, args, { input } = {}) => {
  commands.push([program, ...args])
  if (input !== undefined) writes.push(input)
  return (await bed.host('proxy').exec([program, ...args], input === undefined ? {} : { input })).stdout
}
const nft = async (...args: string[]): Promise<string> => (await bed.host('proxy').exec(['nft', ...args])).stdout
const remove = async () => removeLeftovers(run, ({ text }) => log.push(text))

beforeAll(async () => {
  bed = await startBed({
    hosts: {
      client: { network: 'wan', tailscaled: true },
      other: { network: 'wan', tailscaled: true },
      proxy: { network: 'cluster' },
      backend: { network: 'cluster' },
    },
    cluster: { nodes: 0 },
  })
  await bed.host('proxy').exec(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
})
afterAll(async () => bed.down())
beforeEach(async () => {
  printLogsOnFailure(bed)
  await nft('flush', 'ruleset')
  ;[commands, writes, log] = [[], [], []]
})

/** Rules of other programs, similar to upstream's, in its chains and in a table of their own. */
const foreign = `
table ip nat {
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr 100.64.0.77 counter dnat to 10.98.0.77
    ip daddr 100.64.0.77 dnat to 10.98.0.77 comment "svc:mine,VIP:100.64.0.77,ClusterIP:10.98.0.77"
    oifname != "tailscale0" ip daddr 100.64.0.77 dnat to 100.64.0.78
  }
  chain POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    ip daddr 100.64.0.78 snat to 100.64.0.79
  }
  chain mine {
    type nat hook prerouting priority dstnat; policy accept;
    oifname != "tailscale0*" tcp dport 10000 dnat to 100.64.0.78:80
  }
}
table inet mine {
  set addresses { type ipv4_addr; elements = { 100.64.0.77, 100.64.0.78 } }
  chain forward { type filter hook forward priority mangle; policy accept; ip daddr @addresses counter; }
}
`

/** The whole ruleset, one rule per line with its handle, without counters. */
const ruleset = async (): Promise<string[]> => (await nft('-a', '-s', 'list', 'ruleset')).split('\n')

it('removes stacked rules and nothing else: traffic takes the same path as without upstream', async () => {
  const [client, backend] = [await peer(bed, 'client'), bed.host('backend')]
  await bed.host('proxy').exec(['nft', '-f', '-'], { input: foreign })
  for (const host of ['client', 'proxy'] as const) await startEcho(bed.host(host))
  await (await Upstream.start(bed, { ...onDisk, TS_DEST_IP: String(backend.address.v4) })).kill()
  await (await Upstream.start(bed, { ...onDisk, TS_TAILNET_TARGET_IP: client.v6 })).kill()
  const upstream = await Upstream.start(bed, { ...onDisk, TS_TAILNET_TARGET_IP: client.v4 })
  const targets = [bed.host('proxy').address.v4, bed.host('proxy').address.v6].map(String)
  const answerers = async () =>
    Promise.all(targets.map(async (to) => (await ask(backend, { to, protocol: 'tcp' })).host))
  expect(await answerers()).toEqual(['client', 'client'])
  await upstream.kill()

  const before = await ruleset()
  const removed = await remove()
  expect(await answerers()).toEqual(['proxy', 'proxy'])
  expect(removed.map(({ family, what }) => `${family} ${what}`)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^ip 100\.64\.\d+\.\d+ to 10\.98\.0\.11$/),
      `ip everything to ${client.v4}`,
      `ip6 everything to ${client.v6}`,
    ]),
  )
  expect(log).toEqual([expect.stringMatching(/^removed what another agent left .*everything to/)])
  // Everything removed was upstream's; everything else is unchanged, including tailscaled's rules.
  const after = await ruleset()
  const gone = before.filter((line) => !after.includes(line)).filter((line) => !/^\s*(chain ts-clamp|\})/.test(line))
  expect(gone).toHaveLength(removed.filter(({ kind }) => kind === 'rule').length)
  expect(after.filter((line) => !before.includes(line))).toEqual([])
  expect(after.join()).toMatch(/ts-forward.*ts-postrouting/)
  expect(after.join()).not.toContain('ts-clamp')
})

it('removes services of ProxyGroups with their chains in one go, and finds nothing the second time', async () => {
  const [client, other, { address }] = [await peer(bed, 'client'), await peer(bed, 'other'), bed.host('proxy')]
  const pod = { POD_IPS: `${address.v4},${address.v6}` }
  const leave = async (secret: string, env: Record<string, string>, last: string): Promise<void> => {
    const state = await SecretBed.make(bed, secret)
    const upstream = await Upstream.start(bed, { ...state.env(), ...pod, ...env })
    await poll(last, async () => ((await nft('list', 'ruleset')).includes(last) ? true : undefined))
    await upstream.kill()
  }
  await writeToProxy(bed, '/tmp/egress/egress-services', egressServices(client, other))
  await leave('egress', { TS_EGRESS_PROXIES_CONFIG_PATH: '/tmp/egress' }, 'dport 10021')
  await writeToProxy(bed, '/tmp/ingress.json', ingressServices)
  await leave('ingress', { TS_INGRESS_PROXIES_CONFIG_PATH: '/tmp/ingress.json' }, 'dnat to fd96::20')

  const chains = ['default-one', 'default-two', '3rd-party']
  const removed = await remove()
  expect(new Set(removed.map(({ chain }) => chain))).toEqual(
    new Set([...chains, 'PREROUTING', 'POSTROUTING', 'ts-clamp']),
  )
  expect(writes).toHaveLength(1)
  expect(log).toHaveLength(1)
  expect(log[0]).toMatch(/ and \d+ more$/)
  const rules = await nft('list', 'ruleset')
  for (const name of [...chains, 'ts-clamp', 'dnat', 'snat']) expect(rules).not.toContain(name)
  expect(await remove()).toEqual([])
  expect(writes).toHaveLength(1)
  expect(log).toHaveLength(1)
})

it.each(['nft', 'legacy'] as const)('removes the rules of iptables-%s and nothing else', async (variant) => {
  const [client, other, proxy] = [await peer(bed, 'client'), await peer(bed, 'other'), bed.host('proxy')]
  const programs = ['iptables', 'ip6tables'] as const
  const named = programs.map((name) => [name, `${name}-${variant}`] as const)
  const path = await without(proxy, [], Object.fromEntries(named))
  const save = async (): Promise<string[]> => {
    const listings = await Promise.all(named.map(([, program]) => proxy.exec([`${program}-save`])))
    return listings.flatMap(({ stdout }) => stdout.split('\n')).filter((line) => line.startsWith('-A '))
  }
  const leave = async (env: Record<string, string>, last: string): Promise<void> => {
    const upstream = await Upstream.start(bed, { ...onDisk, ...path, TS_DEBUG_FIREWALL_MODE: 'iptables', ...env })
    await poll(last, async () => ((await save()).some((line) => line.includes(last)) ? true : undefined))
    await upstream.kill()
  }
  const state = async (name: string) => (await SecretBed.make(bed, `${name}-${variant}`)).env()
  const { v4, v6 } = proxy.address
  const pod = { POD_IPS: `${v4},${v6}` }
  await leave({ TS_DEST_IP: String(bed.host('backend').address.v4) }, 'DNAT')
  await leave({ TS_TAILNET_TARGET_IP: client.v4 }, `DNAT --to-destination ${client.v4}`)
  await writeToProxy(bed, '/tmp/egress/egress-services', egressServices(client, other))
  await leave({ ...(await state('e')), ...pod, TS_EGRESS_PROXIES_CONFIG_PATH: '/tmp/egress' }, 'dport 10021')
  await writeToProxy(bed, '/tmp/ingress.json', ingressServices)
  await leave({ ...(await state('i')), ...pod, TS_INGRESS_PROXIES_CONFIG_PATH: '/tmp/ingress.json' }, 'fd96::20')
  // A similar rule of another program.
  await proxy.exec([`iptables-${variant}`, ...'-t nat -A PREROUTING -d 10.0.0.1 -j DNAT --to 10.0.0.2'.split(' ')])

  const before = await save()
  await removeRules(run, ({ text }) => log.push(text))
  const after = await save()
  expect(before.length - after.length).toBeGreaterThan(15)
  expect(after.filter((line) => !before.includes(line))).toEqual([])
  expect(after.filter((line) => /DNAT|SNAT|TCPMSS/.test(line))).toEqual([
    '-A PREROUTING -d 10.0.0.1/32 -j DNAT --to-destination 10.0.0.2',
  ])
  expect(after.join('\n')).toMatch(/-A ts-forward/)
  expect(log).toEqual([expect.stringMatching(/^removed what another agent left .*everything to/)])
  await removeRules(run, ({ text }) => log.push(text))
  expect(log).toHaveLength(1)
})

it('only lists the chains if there is nothing to remove', async () => {
  await nft('add', 'table', 'inet', 'culvert')
  expect(await remove()).toEqual([])
  expect(commands).toEqual([['nft', '-j', 'list', 'chains']])
})

it('does not read a table full of another program’s chains, and says so', async () => {
  const chains = Array.from({ length: 4200 }, (_, index) => `  chain KUBE-SVC-${index} {\n  }\n`).join('')
  await bed.host('proxy').exec(['nft', '-f', '-'], { input: `${foreign}table ip nat {\n${chains}}\n` })
  expect(await remove()).toEqual([])
  expect(commands).toHaveLength(1)
  expect(log).toEqual([expect.stringMatching(/^table ip nat has 42\d\d chains: /)])
})

it('removeLeftovers ignores iptables rules, since nft does not show what they do', async () => {
  const rules = [
    ['FORWARD', '--out-interface', 'tailscale0', '--protocol', 'tcp', '--jump', 'ACCEPT'],
    ['PREROUTING', '--table', 'nat', '!', '--in-interface', 'tailscale0', '--jump', 'DNAT', '--to', '100.64.0.1'],
    ['POSTROUTING', '--table', 'nat', '--destination', '100.64.0.1', '--jump', 'SNAT', '--to', '100.64.0.3'],
  ]
  for (const rule of rules) await bed.host('proxy').exec(['iptables-nft', '--append', ...rule])
  const before = await ruleset()
  expect(await remove()).toEqual([])
  expect(await ruleset()).toEqual(before)
})

it('an error of nft is reported, with the remedy', async () => {
  const broken: RunCommand = async () => run('nft', ['-j', 'list', 'chainz'])
  await expect(removeLeftovers(broken, () => {})).rejects.toMatchObject({
    code: 'netfilter',
    remedy: expect.stringContaining('delete the Pod'),
  })
})
