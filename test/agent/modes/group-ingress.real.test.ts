import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Host } from '../../lab/hosts/host.ts'
import { ask } from '../../lab/traffic/traffic.ts'
import { tellOnFailure } from '../../lab/vitest.ts'
import { firewall } from '../firewall.ts'
import { Group } from '../group.ts'
import { type Environment, Proxy } from '../proxy.ts'
import {
  answered,
  barren,
  type Family,
  type Ground,
  grounds,
  hopsLeft,
  httpGet,
  largeMessagesPass,
  type ModesBed,
  podEnv,
  type PodHost,
  startModes,
} from './ground.ts'

// ProxyGroup ingress: what a node of the tailnet sends to a Tailscale Service goes to a Service of the cluster.
let bed: ModesBed
beforeAll(async () => {
  bed = await startModes({ cluster: { nodes: 0 } })
})
afterAll(() => bed.down())
beforeEach(() => tellOnFailure(bed))

const app = { v4: '100.99.2.1', v6: 'fd7a:115c:a1e0::9902' } as const
const api = { v4: '100.99.2.2', v6: 'fd7a:115c:a1e0::9903' } as const
/** One that the node hosts and the file does not have. */
const unmapped = { v4: '100.99.2.3', v6: 'fd7a:115c:a1e0::9904' } as const

type Addresses = Readonly<Record<Family, string>>

/** Those of some families. */
const only = ({ v4, v6 }: Addresses, families: readonly Family[]) => ({
  v4: families.includes('v4') ? v4 : undefined,
  v6: families.includes('v6') ? v6 : undefined,
})

const mapping = (service: Addresses, cluster: Host['address']) => ({
  IPv4Mapping: { TailscaleServiceIP: service.v4, ClusterIP: cluster.v4 },
  IPv6Mapping: { TailscaleServiceIP: service.v6, ClusterIP: cluster.v6 },
})

/**
 * A replica that hosts the Tailscale Services, as control and operator see to it once it says that it may. `secret` is
 * its name: under the same one it would be the same node, which hosts them already.
 */
async function replica(
  { pod, tailnet }: Omit<Ground, 'carries'>,
  secret = `${pod}-${tailnet}`,
  more: Environment = {},
): Promise<Proxy> {
  await bed.control.putSettings({ families: tailnet })
  const group = await Group.make(bed, secret, pod)
  const configs = {
    'svc:app': mapping(app, bed.host('app').address),
    // What egress may not lead to, ingress may: an address on the Pod's own network, and the API server.
    'svc:api': mapping(api, { v4: '10.98.0.1', v6: 'fd98::1' }),
  }
  await group.write({ 'ingress-config.json': JSON.stringify(configs) })
  const proxy = await Proxy.ready(bed, { ...group.env('ingress'), ...(await podEnv(bed, pod)), ...more }, { host: pod })
  await expect.poll(() => group.told('ingress-config.json')).toMatchObject({ configs })
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

// The families of the node itself are of no matter here.
describe.each([...grounds, ...barren])('a Pod with $pod, a tailnet with $tailnet', (ground) => {
  const { pod, tailnet } = ground
  const carries = { dual: ['v4', 'v6'], only4: ['v4'], only6: ['v6'] } as const satisfies Record<PodHost, Family[]>
  it(`carries ${carries[pod].join(' and ')}, refuses the rest and says why`, async () => {
    await using proxy = await replica(ground)
    const client = bed.host('db')
    const { address } = proxy.host
    // Backends see the Pod, and answer to it.
    const as = (family: Family) => ({ host: 'app', peer: address[family] })
    await answered(client, only(app, carries[pod]), { carries: carries[pod], as })
    for (const family of carries[pod]) {
      expect(await hopsLeft(client, app[family])).toBe(63)
      expect(await httpGet(client, api[family], 6443)).toContain('to an HTTPS server')
    }
    // A kernel without IPv6 has nothing that could refuse it, nor has iptables without a route. ICMP errors come from the
    // node, if it has an address.
    const without4 = firewall === 'nftables' ? (['v4', 'v6'] as const) : (['v6'] as const)
    const refuses = { dual: ['v4', 'v6'], only4: ['v4'], only6: without4 } as const
    const protocols = tailnet === 'both' ? (['tcp', 'udp'] as const) : (['tcp'] as const)
    await answered(client, only(unmapped, refuses[pod]), { protocols, carries: [], as })
    if (pod === 'only6' && firewall === 'nftables') {
      await answered(client, only(app, ['v4']), { protocols, carries: [], as })
    }
    const lacks = { dual: [], only4: ['kernel does not forward IPv6'], only6: ['Pod has no IPv4 address'] }[pod]
    const { services } = await proxy.status()
    const problems = services.find(({ name }) => name === 'svc:app')?.problems
    expect(problems).toEqual(lacks.map((text) => expect.stringContaining(text)))
    for (const text of lacks) await proxy.process.line(new RegExp(`warning: svc:app: .*${text}`))
  })
})

it('large messages pass in both directions', async () => {
  await using _ = await replica({ pod: 'dual', tailnet: 'both' }, 'large-messages')
  await largeMessagesPass(bed.host('db'), app)
})

it('a device of another name carries and refuses the same', async () => {
  const both = { pod: 'dual', tailnet: 'both' } as const
  await using _ = await replica(both, 'another-device', { TS_TAILSCALED_EXTRA_ARGS: '--tun=ts0' })
  const as = () => ({ host: 'app' })
  await answered(bed.host('db'), app, { carries: ['v4', 'v6'], as })
  await answered(bed.host('db'), unmapped, { carries: [], as })
})
