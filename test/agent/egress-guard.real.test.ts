import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { controlUrl } from '../lab/namespaces/addresses.ts'
import { startCapture } from '../lab/traffic/capture.ts'
import { ask, startEcho, startPush, startTraffic, type Traffic } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { interferenceOf } from './firewall.ts'
import { egressEntry, Group } from './group.ts'
import { type Environment, onDisk, Proxy } from './proxy.ts'

// Nothing that is meant for the tunnel leaves in the clear, whatever happens to the tunnel, in each mode that forwards
// into the tailnet or out of it.
let bed: Bed<'node' | 'proxy' | 'app'>
beforeAll(async () => {
  bed = await startBed({
    hosts: {
      node: { network: 'wan', tailscaled: { up: [`--advertise-routes=${routes.join()}`] } },
      proxy: { network: 'cluster' },
      app: { network: 'cluster' },
    },
    cluster: { nodes: 0 },
  })
  const node = bed.host('node')
  for (const address of behind) await node.exec(['ip', 'addr', 'add', address, 'dev', 'lo'])
  await bed.control.patchNode('node', { routes })
  for (const host of [node, bed.host('app')]) {
    await startEcho(host)
    await startPush(host, pushPort)
  }
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

/** On this port a server keeps sending, whether the client answers or not. */
const pushPort = 7001
/** Addresses behind a node, one per family, since a UDP server on all addresses would answer from another one. */
const behind = ['10.77.0.9', 'fd77::9'] as const
const behindPort = 7010
/** The traffic that is sent to the Pod to be forwarded. */
const forwarded = `port 7000 or port ${pushPort}`
const routes = ['10.77.0.9/32', 'fd77::9/128'] as const
const vips = ['100.99.1.1', 'fd7a:115c:a1e0::9901'] as const
/**
 * What must never be seen outside the tunnel. 100.100.100.100 is excepted: the kernel answers to it when tailscaled
 * probes segmentation offload of its new device, which is no client's packet.
 */
const inTheClear = `not host 100.100.100.100 and (net 100.64.0.0/10 or net fd7a:115c:a1e0::/48 or host ${behind[0]} or host ${behind[1]})`

/** A mode: the agent's environment, and who sends where. */
type Mode = {
  readonly env: Environment
  readonly from: 'node' | 'app'
  readonly to: readonly { readonly address: string; readonly ports: readonly number[] }[]
}

const addresses = (host: 'proxy' | 'app') => [bed.host(host).address.v4, bed.host(host).address.v6].map(String)

const modes: readonly [string, () => Promise<Mode>][] = [
  [
    'L3 egress',
    async () => ({
      env: { ...onDisk, TS_TAILNET_TARGET_FQDN: 'node.lab.ts.net' },
      from: 'app',
      to: addresses('proxy').map((address) => ({ address, ports: [7000] })),
    }),
  ],
  [
    'ProxyGroup egress',
    async () => {
      const group = await Group.make(bed, 'egress')
      await group.egress({
        echo: egressEntry({ fqdn: 'node.lab.ts.net' }, 7000),
        push: egressEntry({ fqdn: 'node.lab.ts.net' }, pushPort, pushPort),
        ...Object.fromEntries(behind.map((ip, index) => [`behind${index}`, egressEntry({ ip }, behindPort + index)])),
      })
      return {
        env: { ...group.env('egress'), TS_EXTRA_ARGS: `--login-server=${bed.controlUrl} --accept-routes` },
        from: 'app',
        to: addresses('proxy').map((address, index) => ({ address, ports: [7000, behindPort + index] })),
      }
    },
  ],
  [
    'ProxyGroup ingress',
    async () => {
      const group = await Group.make(bed, 'ingress')
      const [v4, v6] = addresses('app')
      await group.write({
        'ingress-config.json': JSON.stringify({
          'svc:web': {
            IPv4Mapping: { TailscaleServiceIP: vips[0], ClusterIP: v4 },
            IPv6Mapping: { TailscaleServiceIP: vips[1], ClusterIP: v6 },
          },
        }),
      })
      return { env: group.env('ingress'), from: 'node', to: vips.map((address) => ({ address, ports: [7000] })) }
    },
  ],
]

/** Lets the proxy host the Tailscale Service. */
async function hostService(proxy: Proxy): Promise<void> {
  await bed.control.patchNode(String((await proxy.status()).node.id), {
    routes: ['100.99.1.1/32', 'fd7a:115c:a1e0::9901/128'],
    capMap: { 'service-host': [{ 'svc:web': vips }] },
  })
}

/** Flows and new connections of both protocols and families, once all of them pass the agent. */
async function startAll({ from, to }: Mode): Promise<Traffic[]> {
  const usual = { every: 20 }
  const traffic: Traffic[] = []
  for (const { address, ports } of to) {
    // One datagram makes the server push; it may be lost while the nodes find each other.
    const push = () =>
      ask(bed.host(from), { to: address, port: pushPort, protocol: 'udp', patience: 5000 }).catch(String)
    await expect.poll(push).toMatchObject({ peer: expect.any(String) })
    for (const port of ports) {
      const start = (more: Pick<Parameters<typeof startTraffic>[1], 'protocol' | 'mode'>, patience: number) =>
        startTraffic(bed.host(from), { ...usual, to: address, port, patience, padding: 1000, ...more })
      traffic.push(await start({ protocol: 'tcp' }, 60_000), await start({ protocol: 'tcp', mode: 'connect' }, 500))
      if (port >= behindPort) continue
      traffic.push(await start({ protocol: 'udp' }, 1000), await start({ protocol: 'udp', mode: 'connect' }, 500))
    }
  }
  await flowing(traffic)
  return traffic
}

async function flowing(traffic: readonly Traffic[]): Promise<void> {
  const before = traffic.map(({ report }) => report?.answered ?? 0)
  const moving = () => traffic.map(({ report }, index) => (report?.answered ?? 0) > (before[index] ?? 0) + 5)
  await expect.poll(moving).toEqual(traffic.map(() => true))
}

async function expectUnbroken(traffic: readonly Traffic[]): Promise<void> {
  const reports = await Promise.all(traffic.map((flow) => flow.stop()))
  for (const report of reports) expect(report).not.toHaveProperty('broken')
}

describe.each(modes)('%s: nothing leaves in the clear', (_name, mode) => {
  it('while rules are deleted, tailscaled is killed or the device is removed; flows go on afterwards', async () => {
    const made = await mode()
    await using proxy = await Proxy.ready(bed, { ...made.env, TS_AUTHKEY: await bed.authKey() })
    if (made.from === 'node') await hostService(proxy)
    await proxy.until(({ ready }) => ready)
    const traffic = await startAll(made)
    const outside = await startCapture(proxy.host, 'eth0', inTheClear)
    const inside = await startCapture(proxy.host, 'eth0', forwarded)
    const interference = interferenceOf(proxy.host)
    for (let round = 0; round < 2; round += 1) {
      await interference.deleteRules()
      // Without the rules there is no guard: it must be back before the device is removed.
      await expect.poll(interference.guarded).toBe(true)
      await inside.more(50)
    }
    await proxy.host.exec(['kill', '-KILL', String((await proxy.status()).tailscaled.pid)])
    await proxy.until((status) => status.ready && status.tailscaled.restarts === 1)
    await proxy.host.exec(['ip', 'link', 'del', 'tailscale0'])
    await proxy.until((status) => status.ready && status.tailscaled.restarts === 2)
    // The stopped agent does not restart tailscaled: what is sent meanwhile has no device to leave by.
    proxy.process.kill('SIGSTOP')
    await proxy.host.exec(['pkill', '-KILL', '-x', 'tailscaled'])
    await inside.more(100)
    expect(await outside.stop()).toEqual([])
    await inside.stop()
    // Shows that the guard is what drops them: without it, the same packets follow the default route.
    const unguarded = await startCapture(proxy.host, 'eth0', inTheClear)
    await interference.emptyGuard()
    await expect.poll(() => new Set(unguarded.packets.map(({ family }) => family)).size).toBe(2)
    proxy.process.kill('SIGCONT')
    await proxy.until((status) => status.ready && status.tailscaled.restarts === 3)
    await flowing(traffic)
    await expectUnbroken(traffic)
  })
})

const { hostname, port: controlPort } = new URL(controlUrl)
const cut = `
table ip lab {
  chain output {
    type filter hook output priority filter;
    ip daddr ${hostname} tcp dport ${controlPort} reject with tcp reset
  }
}
`

/** Blocks only the proxy's traffic to the control server, until the result is called. */
async function cutOff(): Promise<() => Promise<unknown>> {
  await bed.host('proxy').exec(['nft', '-f', '-'], { input: cut })
  return () => bed.host('proxy').exec(['nft', 'delete', 'table', 'ip', 'lab'])
}

it('nothing leaves in the clear while start-up cannot finish or after a crash, as the old rules guard their flows', async () => {
  const [, l3] = modes[0]!
  const made = await l3()
  const env = {
    ...made.env,
    TS_STATE_DIR: '/var/lib/unfinished',
    CULVERT_TEST_SHORT_WAITS: 'true',
    TS_AUTHKEY: await bed.authKey(),
  }
  const outside = await startCapture(bed.host('proxy'), 'eth0', inTheClear)
  const inside = await startCapture(bed.host('proxy'), 'eth0', forwarded)
  const [to = ''] = addresses('proxy')
  const connect = await cutOff()
  const first = await Proxy.start(bed, env)
  await first.process.line(/not connected to the tailnet yet/)
  await expect(ask(bed.host('app'), { to, protocol: 'tcp' })).rejects.toThrow('ECONNREFUSED')
  await connect()
  await first.until(({ ready }) => ready)
  const traffic = await startAll(made)
  // So that nothing is cleaned up.
  first.process.kill('SIGKILL')
  await first.host.exec(['pkill', '-KILL', '-x', 'tailscaled'])
  await first.process.exited
  const reconnect = await cutOff()
  await using again = await Proxy.start(bed, env)
  await inside.more(100)
  await again.process.line(/not connected to the tailnet yet/)
  expect(outside.packets).toEqual([])
  await reconnect()
  await again.until(({ ready }) => ready)
  await flowing(traffic)
  await expectUnbroken(traffic)
  await inside.stop()
  expect(await outside.stop()).toEqual([])
})

it('nothing leaves in the clear while a target is removed from the tailnet', async () => {
  const [, egress] = modes[1]!
  const made = await egress()
  await using proxy = await Proxy.ready(bed, { ...made.env, TS_AUTHKEY: await bed.authKey() })
  const outside = await startCapture(proxy.host, 'eth0', inTheClear)
  const inside = await startCapture(proxy.host, 'eth0', forwarded)
  const traffic = await startAll(made)
  await bed.control.removeNode('node')
  // All four TCP connections.
  const broken = () => traffic.flatMap(({ report }) => report?.broken?.code ?? [])
  await expect.poll(broken).toEqual(Array(4).fill('ECONNRESET'))
  await proxy.until(({ checks }) => checks['services']?.state === 'failing')
  await inside.more(50)
  await inside.stop()
  expect(await outside.stop()).toEqual([])
  await Promise.all(traffic.map((flow) => flow.stop()))
})
