import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho, startTraffic, type Traffic } from '../lab/traffic/traffic.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
import { egressEntry, Group } from './group.ts'
import { Proxy } from './proxy.ts'

// One agent for ProxyGroup egress, with traffic to three of its services, through all kinds of changes without a
// restart.
const nodes = ['one', 'two', 'three'] as const
const portOf = { one: 10_001, two: 10_002, three: 10_003, late: 10_004 } as const
const entryOf = (name: keyof typeof portOf, fqdn: string = name) =>
  egressEntry({ fqdn: `${fqdn}.lab.ts.net` }, portOf[name])
const services = Object.fromEntries(
  (Object.keys(portOf) as (keyof typeof portOf)[]).map((name) => [name, entryOf(name)]),
)

let bed: Bed<'one' | 'two' | 'three' | 'late' | 'proxy' | 'app'>
let group: Group
let proxy: Proxy
beforeAll(async () => {
  bed = await startBed({
    hosts: {
      one: { network: 'wan', tailscaled: true },
      two: { network: 'wan', tailscaled: true },
      three: { network: 'wan', tailscaled: true },
      late: { network: 'wan', tailscaled: { up: false } },
      proxy: { network: 'cluster' },
      app: { network: 'cluster' },
    },
    cluster: { nodes: 0 },
  })
  for (const host of [...nodes, 'late'] as const) await startEcho(bed.host(host))
  group = await Group.make(bed, 'egress')
  await group.egress(services)
})
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(async () => {
  printLogsOnFailure(bed)
  // One agent for all tests, which must not restart.
  proxy ??= await Proxy.ready(bed, { ...group.env('egress'), TS_AUTHKEY: await bed.authKey() })
  await proxy.until(({ ready }) => ready)
})
afterEach(async () => {
  expect((await proxy.status()).tailscaled.restarts).toBe(0)
})

const families = ['v4', 'v6'] as const
const protocols = ['tcp', 'udp'] as const

type Flows = { readonly tcp: readonly Traffic[]; readonly udp: readonly Traffic[] }

/** Flows of both protocols and families through a port of the Pod, once each has been answered. */
async function flowsTo(service: keyof typeof portOf): Promise<Flows> {
  const start = async (protocol: 'tcp' | 'udp') =>
    Promise.all(
      families.map((family) => {
        const to = { to: String(proxy.host.address[family]), port: portOf[service], protocol }
        return startTraffic(bed.host('app'), to)
      }),
    )
  const flows = { tcp: await start('tcp'), udp: await start('udp') }
  await untilAnswered(all(flows))
  return flows
}

/** Waits until each flow has been answered some more, and last by `host` if that is given. */
async function untilAnswered(traffic: readonly Traffic[], host?: string): Promise<void> {
  const count = ({ report }: Traffic) => (host === undefined ? report?.answered : report?.answeredBy[host]) ?? 0
  const before = traffic.map(count)
  const more = () => traffic.map((flow, index) => count(flow) > (before[index] ?? 0) + 5)
  await expect.poll(more).toEqual(traffic.map(() => true))
}

/** Waits until new connections of both protocols and families are answered by a host. */
async function untilAnsweredBy(service: keyof typeof portOf, host: string): Promise<void> {
  for (const family of families) {
    for (const protocol of protocols) {
      const to = { to: String(proxy.host.address[family]), port: portOf[service], protocol, patience: 5000 }
      const asked = () => ask(bed.host('app'), to).catch(String)
      await expect.poll(asked).toMatchObject({ host })
    }
  }
}

/** Lets a node log in again: with a new key, as what is left of it in the tailnet, and by another name. */
const logIn = async (host: (typeof nodes)[number] | 'late', hostname: string = host) => {
  const flags = [
    `--login-server=${bed.controlUrl}`,
    `--auth-key=${await bed.authKey({ reusable: true })}`,
    `--hostname=${hostname}`,
  ]
  await bed.host(host).exec(['tailscale', 'up', '--force-reauth', ...flags])
}

const all = ({ tcp, udp }: Flows): Traffic[] => [...tcp, ...udp]
const stop = (flows: readonly Traffic[]) => Promise.all(flows.map((flow) => flow.stop()))

/**
 * Stops flows that must not have been interrupted. Datagrams may be lost: at the first change of routes since its
 * start, and a second or so after addresses change, tailscaled rebinds its socket, and loses what is sent meanwhile:
 * the more, the slower the machine. The flow has to go on all the same.
 */
async function expectUninterrupted({ tcp, udp }: Flows): Promise<void> {
  await untilAnswered([...tcp, ...udp])
  const streams = await stop(tcp)
  for (const { lost } of streams) expect(lost).toBe(0)
  for (const report of [...streams, ...(await stop(udp))]) {
    expect(report).toMatchObject({ errors: noEntries })
    expect(report).not.toHaveProperty('broken')
  }
}

/** Waits until connections have ended, by a reset and not by a timeout. */
async function untilReset(flows: readonly Traffic[]): Promise<void> {
  for (const flow of flows) expect(await flow.done()).toMatchObject({ broken: { code: 'ECONNRESET' } })
}

it('a peer with a new key keeps its addresses, and flows to it go on', async () => {
  const [changed, other] = [await flowsTo('one'), await flowsTo('two')]
  const { addresses, nodeKey } = await bed.control.node('one')
  await logIn('one')
  expect(await bed.control.node('one')).toMatchObject({ addresses, nodeKey: expect.not.stringContaining(nodeKey) })
  await untilAnswered(all(changed))
  for (const flow of all(changed)) expect(await flow.stop()).not.toHaveProperty('broken')
  await expectUninterrupted(other)
})

it('a target with new addresses is reached there, and connections to the old ones are reset', async () => {
  const [changed, other] = [await flowsTo('one'), await flowsTo('two')]
  await bed.control.patchNode('one', { addresses: ['100.99.0.1', 'fd7a:115c:a1e0::9001'] })
  await untilReset(changed.tcp)
  await untilAnswered(changed.udp)
  await untilAnsweredBy('one', 'one')
  await stop(changed.udp)
  await expectUninterrupted(other)
})

it("targets see the node's new addresses when they change", async () => {
  const flows = await flowsTo('one')
  const addresses = ['100.99.0.9', 'fd7a:115c:a1e0::9009']
  await bed.control.patchNode(String((await proxy.status()).node.id), { addresses })
  await untilReset(flows.tcp)
  await untilAnswered(flows.udp)
  await untilAnsweredBy('one', 'one')
  for (const [index, flow] of flows.udp.entries()) expect((await flow.stop()).seenAs).toContain(addresses[index])
})

it('a service with another target, or removed: TCP connections go on, everything new follows the change', async () => {
  const [moved, removed, other] = [await flowsTo('one'), await flowsTo('two'), await flowsTo('three')]
  const { two: _two, ...rest } = services
  await group.egress({ ...rest, one: entryOf('one', 'three') })
  await untilAnsweredBy('one', 'three')
  await untilAnswered(moved.udp, 'three')
  await untilAnswered(moved.tcp, 'one')
  await untilAnswered(removed.tcp, 'two')
  for (const report of await stop([...moved.tcp, ...removed.tcp]))
    expect(report).toMatchObject({ lost: 0, errors: noEntries })
  const refused = () => removed.udp.map(({ report }) => Object.keys(report?.errors ?? {}))
  await expect.poll(refused).toEqual(removed.udp.map(() => expect.arrayContaining(['ECONNREFUSED'])))
  await stop(removed.udp)
  await stop(moved.udp)
  await group.egress(services)
  await untilAnsweredBy('two', 'two')
  await untilAnsweredBy('one', 'one')
  await expectUninterrupted(other)
})

it('a name that moves to another peer takes new connections along; existing ones end when the old peer is removed', async () => {
  const [changed, other] = [await flowsTo('two'), await flowsTo('three')]
  await logIn('two', 'former')
  await logIn('one', 'two')
  await untilAnsweredBy('two', 'one')
  await untilAnswered(changed.udp, 'one')
  await untilAnswered(changed.tcp, 'two')
  await bed.control.removeNode('former')
  await untilReset(changed.tcp)
  await stop(changed.udp)
  await expectUninterrupted(other)
})

it('a target that appears late, disappears and returns is followed', async () => {
  await expect(
    ask(bed.host('app'), { to: String(proxy.host.address.v4), port: portOf.late, protocol: 'tcp' }),
  ).rejects.toThrow('ECONNREFUSED')
  await logIn('late')
  await untilAnsweredBy('late', 'late')
  const [flows, other] = [await flowsTo('late'), await flowsTo('three')]
  await bed.control.removeNode('late')
  await untilReset(flows.tcp)
  await logIn('late')
  await untilAnsweredBy('late', 'late')
  await untilAnswered(flows.udp)
  await stop(flows.udp)
  await expectUninterrupted(other)
})

it('a new address of the Pod works at once, and its removal interrupts no other flow', async () => {
  const other = await flowsTo('three')
  const more = { '10.98.0.77': '24', 'fd98::77': '64' }
  const change = async (verb: 'add' | 'del') => {
    for (const [address, bits] of Object.entries(more)) {
      const nodad = verb === 'add' && bits === '64' ? ['nodad'] : []
      await proxy.host.exec(['ip', 'address', verb, `${address}/${bits}`, 'dev', 'eth0', ...nodad])
    }
  }
  await change('add')
  for (const to of Object.keys(more)) {
    for (const protocol of protocols) {
      // If the first datagram were not forwarded, it would be refused. It may be lost: tailscaled rebinds its socket.
      expect(await ask(bed.host('app'), { to, port: portOf.three, protocol })).toMatchObject({ host: 'three' })
    }
  }
  await change('del')
  await expectUninterrupted(other)
})

it('connections are reset only at SIGTERM: a request to the preStop endpoint changes nothing', async () => {
  await proxy[Symbol.asyncDispose]()
  const env = { ...group.env('egress'), CULVERT_TEST_SHORT_WAITS: 'true', TS_AUTHKEY: await bed.authKey() }
  proxy = await Proxy.ready(bed, env)
  await proxy.until(({ ready }) => ready)
  const flows = await flowsTo('three')
  const url = `http://${proxy.host.address.v4}:9002/internal-egress-services-preshutdown`
  const { stdout } = await bed.host('app').exec(['busybox', 'wget', '-q', '-O', '-', url])
  expect(stdout).toBe('safe to terminate')
  await proxy.until(({ ready }) => ready)
  await untilAnswered(all(flows))
  await stop(flows.udp)

  proxy.process.kill('SIGTERM')
  await untilReset(flows.tcp)
  expect(await proxy.process.exited).toMatchObject({ code: 0 })
  expect(proxy.lines.join('\n')).toMatch(/2 open connections reset; waiting 1.2 s for nodes to forget/)
  proxy = await Proxy.ready(bed, env)
})
