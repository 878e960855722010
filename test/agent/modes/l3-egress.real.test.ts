import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hostsServices } from '../../lab/release.ts'
import { ask } from '../../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { Proxy } from '../proxy.ts'
import {
  addressesOf,
  answered,
  failing,
  working,
  hopsLeft,
  httpGet,
  notForwarded,
  largeMessagesPass,
  type ModesBed,
  podEnv,
  routed,
  site,
  startModes,
  web,
} from './combinations.ts'

// L3 egress: everything that the cluster sends to the Pod goes to one target in the tailnet.
let bed: ModesBed
beforeAll(async () => {
  bed = await startModes()
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const db = { TS_TAILNET_TARGET_FQDN: 'DB.lab.ts.net' }

describe.each(working)('a Pod with $pod, a tailnet with $tailnet', (combination) => {
  const { pod, tailnet, forwarded } = combination
  it(`forwards ${forwarded.join(' and ')}, refuses the rest and says why`, async () => {
    await bed.control.putSettings({ families: tailnet })
    const env = { ...db, ...(await podEnv(bed, pod)), TS_ENABLE_HEALTH_CHECK: 'true' }
    await using proxy = await Proxy.ready(bed, env, { host: pod })
    await proxy.until(({ ready }) => ready)
    const own = await proxy.own()
    const { address } = proxy.host
    const app = bed.host('app')
    // Targets see the node, not the Pod or its client.
    await answered(app, address, { forwarded, as: (family) => ({ host: 'db', peer: own[family] }) })
    for (const family of ['v4', 'v6'] as const) {
      const to = address[family]
      if (to === undefined) continue
      expect(await hopsLeft(app, to)).toBe(forwarded.includes(family) ? 63 : 64)
      // The Pod's own ports are the agent's and WireGuard's.
      expect(await httpGet(app, to, 9002, '/readyz')).toBe('ok')
      await expect(ask(app, { to, port: 41641, protocol: 'udp', patience: 300 })).rejects.toThrow('ETIMEDOUT')
    }
    const lacks = notForwarded(bed, combination)
    expect((await proxy.status()).egress?.problems).toEqual(lacks.map((text) => expect.stringContaining(text)))
    for (const text of lacks) await proxy.process.line(new RegExp(`warning: .* gets no traffic: ${text}`))
  })
})

it.each(failing)('a Pod with $pod, a tailnet with $tailnet: the agent ends and says why', async (combination) => {
  const { pod, tailnet } = combination
  await bed.control.putSettings({ families: tailnet })
  const proxy = await Proxy.start(bed, { ...db, ...(await podEnv(bed, pod)) }, { host: pod })
  const { code, reason } = await proxy.ended()
  expect(code).toBe(1)
  for (const text of [
    ...notForwarded(bed, combination),
    `the Pod has no ${tailnet === 'v4' ? 'IPv4' : 'IPv6'} address`,
  ]) {
    expect(reason).toContain(text)
  }
})

describe('a target can be', () => {
  beforeAll(() => bed.control.putSettings({ families: 'both' }))
  const peerAddress = async (family: 'v4' | 'v6') => ({ TS_TAILNET_TARGET_IP: (await addressesOf(bed, 'db'))[family] })
  const atSite = async () => ({ TS_TAILNET_TARGET_FQDN: site })

  type Target = [string, () => Promise<Readonly<Record<string, string>>>, string, readonly ('v4' | 'v6')[]]
  const services: Target[] = [
    ['the name of a Tailscale Service', async () => ({ TS_TAILNET_TARGET_FQDN: web.name }), 'router', ['v4', 'v6']],
    ['the IPv4 address of a Tailscale Service', async () => ({ TS_TAILNET_TARGET_IP: web.v4 }), 'router', ['v4']],
  ]
  it.each<Target>([
    ['the IPv4 address of a node', () => peerAddress('v4'), 'db', ['v4']],
    ['the IPv6 address of a node', () => peerAddress('v6'), 'db', ['v6']],
    ...(hostsServices ? services : []),
    ['a 4via6 name', atSite, 'router', ['v6']],
    ['an IPv4 address behind a router', async () => ({ TS_TAILNET_TARGET_IP: routed.v4 }), 'router', ['v4']],
    ['an IPv6 address behind a router', async () => ({ TS_TAILNET_TARGET_IP: routed.v6 }), 'router', ['v6']],
  ])('%s', async (_name, target, host, forwarded) => {
    await using proxy = await Proxy.ready(
      bed,
      { ...(await target()), ...(await podEnv(bed, 'dual')) },
      { host: 'dual' },
    )
    await proxy.until(({ ready }) => ready)
    await answered(bed.host('app'), proxy.host.address, { forwarded, as: () => ({ host }) })
    // At a site the router itself pings, if it has the program.
    for (const family of target === atSite ? [] : forwarded) {
      expect(await hopsLeft(bed.host('app'), String(proxy.host.address[family]))).toBe(63)
    }
  })

  it.each([
    ['an address behind a router', { TS_TAILNET_TARGET_IP: routed.v4 }],
    ['a 4via6 name', { TS_TAILNET_TARGET_FQDN: site }],
  ])('%s is refused and reported, where the node accepts no routes', async (_name, target) => {
    const env = await podEnv(bed, 'dual')
    await using proxy = await Proxy.ready(
      bed,
      { ...target, ...env, TS_EXTRA_ARGS: String(env['TS_EXTRA_ARGS']).replace(' --accept-routes', '') },
      { host: 'dual' },
    )
    const { ready, checks } = await proxy.until(({ notReady }) =>
      /is behind router.*accepts no routes.*--accept-routes/.test(notReady.join()),
    )
    expect([ready, checks['forwarding']?.state]).toEqual([false, 'waiting'])
    await proxy.process.line(/warning: .* is behind router/)
    await answered(bed.host('app'), proxy.host.address, { forwarded: [], as: () => ({}) })
  })
})

describe('while the target is a node', () => {
  beforeAll(() => bed.control.putSettings({ families: 'both' }))

  it('large messages pass in both directions', async () => {
    await using proxy = await Proxy.ready(bed, { ...db, ...(await podEnv(bed, 'dual')) }, { host: 'dual' })
    await proxy.until(({ ready }) => ready)
    await largeMessagesPass(bed.host('app'), proxy.host.address)
  })

  it.each(['', '--tun ts0'])(
    'other nodes are refused, and not sent back into the tailnet, with tailscaled’s arguments "%s"',
    async (args) => {
      const env = { ...db, ...(await podEnv(bed, 'dual')), TS_TAILSCALED_EXTRA_ARGS: args }
      await using proxy = await Proxy.ready(bed, env, { host: 'dual' })
      await proxy.until(({ ready }) => ready)
      await answered(bed.host('app'), proxy.host.address, { forwarded: ['v4', 'v6'], as: () => ({ host: 'db' }) })
      await answered(bed.host('router'), await proxy.own(), { forwarded: [], as: () => ({}) })
    },
  )
})
