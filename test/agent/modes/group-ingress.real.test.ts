import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Host } from '../../lab/hosts/host.ts'
import { hostsServices } from '../../lab/release.ts'
import { ask } from '../../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { expectCounted } from '../counted.ts'
import { firewall } from '../firewall.ts'
import { Group } from '../group.ts'
import { type Environment, Proxy } from '../proxy.ts'
import {
  answered,
  failing,
  type Family,
  type Combination,
  working,
  hopsLeft,
  httpGet,
  largeMessagesPass,
  type ModesBed,
  podEnv,
  type PodHost,
  startModes,
} from './combinations.ts'

// ProxyGroup ingress: what a node of the tailnet sends to a Tailscale Service goes to a Service of the cluster.
let bed: ModesBed
beforeAll(async () => {
  bed = await startModes({ cluster: { nodes: 0 } })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const app = { v4: '100.99.2.1', v6: 'fd7a:115c:a1e0::9902' } as const
const api = { v4: '100.99.2.2', v6: 'fd7a:115c:a1e0::9903' } as const
/** A Tailscale Service that the node hosts and the file does not have. */
const unmapped = { v4: '100.99.2.3', v6: 'fd7a:115c:a1e0::9904' } as const

type Addresses = Readonly<Record<Family, string>>

/** The addresses of these families. */
const only = ({ v4, v6 }: Addresses, families: readonly Family[]) => ({
  v4: families.includes('v4') ? v4 : undefined,
  v6: families.includes('v6') ? v6 : undefined,
})

const mapping = (service: Addresses, cluster: Host['address']) => ({
  IPv4Mapping: { TailscaleServiceIP: service.v4, ClusterIP: cluster.v4 },
  IPv6Mapping: { TailscaleServiceIP: service.v6, ClusterIP: cluster.v6 },
})

/**
 * A replica that hosts the Tailscale Services, assigned by control server and operator once its status allows that.
 * `secret` is its name: with the same one it would be the same node, which hosts them already.
 */
async function replica(
  { pod, tailnet }: Omit<Combination, 'forwarded'>,
  secret = `${pod}-${tailnet}`,
  more: Environment = {},
): Promise<Proxy> {
  await bed.control.putSettings({ families: tailnet })
  const group = await Group.make(bed, secret, pod)
  const configs = {
    'svc:app': mapping(app, bed.host('app').address),
    // Ingress may forward to what egress may not: an address in the Pod's own network, and the API server.
    'svc:api': mapping(api, { v4: '10.98.0.1', v6: 'fd98::1' }),
  }
  await group.write({ 'ingress-config.json': JSON.stringify(configs) })
  const proxy = await Proxy.ready(bed, { ...group.env('ingress'), ...(await podEnv(bed, pod)), ...more }, { host: pod })
  await expect.poll(() => group.status('ingress-config.json')).toMatchObject({ configs })
  expect((await proxy.status()).services.map(({ hosted }) => hosted)).toEqual([false, false])
  const hosted = { 'svc:app': app, 'svc:api': api, 'svc:unmapped': unmapped }
  await bed.control.patchNode(String((await proxy.status()).node.id), {
    routes: Object.values(hosted).flatMap(({ v4, v6 }) => [`${v4}/32`, `${v6}/128`]),
    capMap: { 'service-host': Object.entries(hosted).map(([name, { v4, v6 }]) => ({ [name]: [v4, v6] })) },
  })
  const family = pod === 'only6' ? 'v6' : 'v4'
  const arrives = () => ask(bed.host('db'), { to: app[family], protocol: 'tcp', patience: 5000 }).catch(String)
  await expect.poll(arrives).toMatchObject({ host: 'app' })
  await proxy.until(({ services }) => services.every((service) => service.hosted === true))
  return proxy
}

const [suite, test] = [describe.runIf(hostsServices), it.runIf(hostsServices)]

// The families of the node do not matter here.
suite.each([...working, ...failing])('a Pod with $pod, a tailnet with $tailnet', (combination) => {
  const { pod, tailnet } = combination
  const forwarded = { dual: ['v4', 'v6'], only4: ['v4'], only6: ['v6'] } as const satisfies Record<PodHost, Family[]>
  it(`forwards ${forwarded[pod].join(' and ')}, refuses the rest and says why`, async () => {
    await using proxy = await replica(combination)
    const client = bed.host('db')
    const { address } = proxy.host
    // Backends see the Pod's address, and reply to it.
    const as = (family: Family) => ({ host: 'app', peer: address[family] })
    await answered(client, only(app, forwarded[pod]), { forwarded: forwarded[pod], as })
    for (const family of forwarded[pod]) {
      expect(await hopsLeft(client, app[family])).toBe(63)
      expect(await httpGet(client, api[family], 6443)).toContain('to an HTTPS server')
    }
    // A kernel without IPv6 cannot refuse it, nor can iptables without a route. ICMP errors come from the node, if it
    // has an address.
    const without4 = firewall === 'nftables' ? (['v4', 'v6'] as const) : (['v6'] as const)
    const refuses = { dual: ['v4', 'v6'], only4: ['v4'], only6: without4 } as const
    const protocols = tailnet === 'both' ? (['tcp', 'udp'] as const) : (['tcp'] as const)
    await answered(client, only(unmapped, refuses[pod]), { protocols, forwarded: [], as })
    if (pod === 'only6' && firewall === 'nftables') {
      await answered(client, only(app, ['v4']), { protocols, forwarded: [], as })
    }
    const lacks = { dual: [], only4: ['kernel does not forward IPv6'], only6: ['Pod has no IPv4 address'] }[pod]
    const { services } = await proxy.status()
    const problems = services.find(({ name }) => name === 'svc:app')?.problems
    expect(problems).toEqual(lacks.map((text) => expect.stringContaining(text)))
    for (const text of lacks) await proxy.process.line(new RegExp(`warning: svc:app: .*${text}`))
  })
})

test('large messages pass in both directions, and are counted', async () => {
  await using proxy = await replica({ pod: 'dual', tailnet: 'both' }, 'large-messages')
  await largeMessagesPass(bed.host('db'), app)
  const of = { service: 'svc:app' }
  await expectCounted(proxy, bed.host('db'), app, { open: { ...of, port: 7000 }, closed: { ...of, port: 7009 } })
  await answered(bed.host('db'), unmapped, { protocols: ['tcp'], forwarded: [], as: () => ({}) })
  if (firewall !== 'nftables') return
  const { traffic } = await proxy.status()
  expect(traffic?.services.find(({ service }) => service === '(unmapped)')).toMatchObject({
    refused: expect.toSatisfy((count: number) => count >= 2),
  })
})

test('with another name of the device, the same is forwarded and refused', async () => {
  const both = { pod: 'dual', tailnet: 'both' } as const
  await using _ = await replica(both, 'another-device', { TS_TAILSCALED_EXTRA_ARGS: '--tun=ts0' })
  const as = () => ({ host: 'app' })
  await answered(bed.host('db'), app, { forwarded: ['v4', 'v6'], as })
  await answered(bed.host('db'), unmapped, { forwarded: [], as })
})
