import { describe, expect, it, test } from 'vitest'
import { renderStatus, type StatusAnswer } from '../../../agent/cli/status.ts'
import { forwards } from '../../../agent/forwarding/forwards.ts'
import { planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { portCount, portLimits, relayLimits } from '../../../agent/relay/limits.ts'
import { planRelay, relayKey, relayReconciler } from '../../../agent/relay/reconciler.ts'
import { serveKey } from '../../../agent/serve/reconciler.ts'
import { serves, wantedServe } from '../../../agent/serve/wanted.ts'
import { checks } from '../../../agent/status/checks.ts'
import { metrics } from '../../../agent/status/metrics.ts'
import { statusView } from '../../../agent/status/status.ts'
import { unresolved } from '../../../agent/world/destination.ts'
import type { World } from '../../../agent/world/world.ts'
import { parseAddress } from '../../../lib/address.ts'
import { TcpRelay } from '../../../relay/tcp.ts'
import { UdpRelay } from '../../../relay/udp.ts'
import { aReport, aWorld } from '../a-world.ts'
import { aServingWorld } from '../serve/a-serving-world.ts'

const one = { TS_USERSPACE: 'true', TS_DEST_IP: '10.0.0.9', CULVERT_DEST_PORTS: 'tcp/80,tcp/440-441,udp/53:5353' }
const two = { ...one, TS_DEST_IP: '10.0.0.9,fd00::9' }
const byName = { TS_USERSPACE: 'true', TS_EXPERIMENTAL_DEST_DNS_NAME: 'db', CULVERT_DEST_PORTS: 'tcp/80,udp/53' }
const about = { version: '1.2.3', since: () => undefined, now: new Date(0) }
const relayed = (world: World, ...ports: readonly [number, number][]): World => ({
  ...world,
  relay: { ports: new Map(ports) },
})
const check = (world: World, of: string) => checks(world).find(({ name }) => name === of)

describe('without a TUN device', () => {
  it('there are no rules, and tailscaled leads TCP to the only backend', () => {
    const world = aWorld({}, one)
    expect([forwards(world), planForwarding(world), serves(world.settings)]).toEqual([false, undefined, true])
    expect(wantedServe(world)).toEqual({
      TCP: {
        80: { TCPForward: '10.0.0.9:80' },
        440: { TCPForward: '10.0.0.9:440' },
        441: { TCPForward: '10.0.0.9:441' },
      },
    })
    expect(planRelay(world)).toEqual({ tcp: new Map(), udp: new Map([[53, 5353]]) })
    expect([portCount(world, 1024), portCount(aWorld({}, two), 1024)]).toEqual([1, 4])
  })

  it('an IPv6 backend is written with brackets, and the PROXY protocol with its version', () => {
    const env = { ...one, TS_DEST_IP: 'fd00::9', CULVERT_DEST_PORTS: 'tcp/80:8080', CULVERT_PROXY_PROTOCOL: '2' }
    expect(wantedServe(aWorld({}, env))).toEqual({ TCP: { 80: { TCPForward: '[fd00::9]:8080', ProxyProtocol: 2 } } })
  })

  it('a tailscaled without the PROXY protocol gets no port with it', () => {
    const world = aWorld({}, { ...one, CULVERT_PROXY_PROTOCOL: '1' })
    const ports = (version: string) =>
      Object.keys(wantedServe({ ...world, tailnet: { ...world.tailnet, version } })?.TCP ?? {})
    expect([ports('1.90.9'), ports('1.92.0-t1'), ports('2.0.0')].map(({ length }) => length)).toEqual([0, 3, 3])
  })

  it('several backends get TCP through the relay, once its ports are open', () => {
    const world = aWorld({}, two)
    expect(planRelay(world)?.tcp).toEqual(
      new Map([
        [80, 80],
        [440, 440],
        [441, 441],
      ]),
    )
    expect(wantedServe(world)).toEqual({ TCP: {} })
    expect(wantedServe(relayed(world, [80, 40001]))).toEqual({ TCP: { 80: { TCPForward: '127.0.0.2:40001' } } })
  })

  it('a name is waited for', () => {
    const world = aWorld({}, byName)
    expect(planRelay(world)).toBeUndefined()
    expect(check(world, 'relay')).toMatchObject({ state: 'waiting', gates: true })
    const destination = {
      ...unresolved,
      addresses: [parseAddress('10.0.0.9')!],
      resolved: { at: new Date(0), as: 'db' },
    }
    expect(planRelay({ ...world, destination })).toEqual({ tcp: new Map([[80, 80]]), udp: new Map([[53, 53]]) })
  })

  it('ports of the mounted serve config are served, and the others forwarded', () => {
    const config = { TCP: { 80: { HTTP: true }, 443: { HTTPS: true } } }
    const world = aServingWorld({ config }, {}, one)
    expect(wantedServe(world)?.TCP).toEqual({
      80: { HTTP: true },
      440: { TCPForward: '10.0.0.9:440' },
      441: { TCPForward: '10.0.0.9:441' },
      443: { HTTPS: true },
    })
    expect(check(world, 'ports')).toMatchObject({ state: 'failing', reason: expect.stringContaining('tcp/80') })
    // Until the file was read, nothing is known of its ports.
    expect(wantedServe({ ...world, mounted: {} })).toBeUndefined()
  })
})

describe('with a TUN device', () => {
  it('the PROXY protocol takes TCP out of the rules', () => {
    const world = aWorld({}, { ...one, TS_USERSPACE: 'false', CULVERT_PROXY_PROTOCOL: '1' })
    const plan = planForwarding(world)
    expect(plan !== 'guard' && plan?.table.ingressByPort[4]?.ports).toEqual([
      { protocol: 'udp', first: 53, last: 53, to: 5353 },
    ])
    expect(planRelay(world)).toEqual({ tcp: new Map(), udp: new Map() })
    expect(Object.keys(wantedServe(world)?.TCP ?? {})).toEqual(['80', '440', '441'])
  })

  it('otherwise there is no relay', () => {
    const world = aWorld({}, { ...one, TS_USERSPACE: 'false' })
    expect([planRelay(world), wantedServe(world), check(world, 'relay')]).toEqual([undefined, undefined, undefined])
  })
})

test.each([
  ['no limit', Infinity, 10, 20_000, 10_000],
  ['a usual limit', 1_048_576, 10, 20_000, 10_000],
  ['a low limit', 1024, 4, 207, 506],
  ['a limit for thousands of ports', 20_000, 10_000, 2227, 5445],
  ['too few files', 50, 10, 1, 2],
])('with %s, there are files for everything', (_name, files, ports, connections, sessions) => {
  expect(relayLimits(files, ports)).toEqual({ connections, sessions })
  if (files > 1000) expect(2 * connections + sessions + ports).toBeLessThan(files)
})

test('the node itself is no backend, since connections to it would come back', () => {
  const own = '100.64.0.1'
  for (const userspace of ['true', 'false']) {
    const env = { ...one, TS_USERSPACE: userspace, TS_DEST_IP: own, CULVERT_PROXY_PROTOCOL: '2' }
    const world = aWorld({}, env)
    expect(wantedServe(world)).toEqual({ TCP: {} })
    expect(check(world, 'ports')).toMatchObject({ state: 'failing', reason: expect.stringContaining(own) })
  }
})

test('all ports of a range leave files for clients', () => {
  const all = aWorld({}, { ...two, CULVERT_DEST_PORTS: 'tcp/1-65535,udp/1-65535' })
  for (const files of [1024, 20_000, 1_048_576]) {
    const { connections, sessions } = relayLimits(files, portCount(all, files))
    expect(Math.min(connections, sessions)).toBeGreaterThan(files / 10 > 10_000 ? 9999 : files / 12)
  }
  expect(portLimits(1_048_576).tcp).toBe(7000)
})

test('more ports than the limit are reported, and those up to it opened', async () => {
  const world = aWorld({}, { ...two, CULVERT_DEST_PORTS: 'tcp/1-5' })
  const tcp = new TcpRelay({ connectMs: 1000 })
  const udp = new UdpRelay({ limit: 1, idleMs: 1 }, () => 0)
  let open: ReadonlyMap<number, number> = new Map()
  const reconciler = relayReconciler({
    tcp,
    udp,
    limits: { tcp: 3, udp: 3 },
    world: () => world,
    opened: (ports) => (open = ports),
  })
  const outcome = await reconciler.apply(planRelay(world)!, world)
  expect(outcome).toMatchObject({
    problem: { message: expect.stringContaining('tcp/4: the agent opens at most 3 ports of tcp') },
  })
  expect([...open.keys()]).toEqual([1, 2, 3])
  for (const port of open.keys()) tcp.close(port)
})

const served = aReport({ config: {}, domain: undefined, restarts: 0 })

test('what is relayed is shown', () => {
  const counts = {
    tcp: { connections: 3, refused: 1, begun: 9, toBytes: 3000, fromBytes: 2 },
    udp: {
      sessions: 2,
      evicted: 7,
      dropped: { 'no-backend': 4, busy: 0, refused: 1 },
      begun: 5,
      toBytes: 0,
      fromBytes: 2048,
    },
  }
  const before = aWorld({}, two)
  const world: World = {
    ...before,
    relay: { ports: new Map(), counts },
    reports: { [relayKey.name]: aReport(planRelay(before)), [serveKey.name]: served },
  }
  const status = statusView(world, about)
  expect(status['targets']).toMatchObject([
    { address: '10.0.0.9', forwarded: true, from: ['100.64.0.1'] },
    { address: 'fd00::9', forwarded: true, from: ['100.64.0.1'] },
  ])
  expect(renderStatus(status as unknown as StatusAnswer)).toContain(
    'forwarded by the agent: 3 connections, 2 UDP clients; refused: 1 connections, 5 datagrams\n' +
      '  tcp: 2.9 KiB there, 2 B back\n' +
      '  udp: 0 B there, 2.0 KiB back\n' +
      '  ! 7 UDP clients were given up, since there were too many\n',
  )
  const samples = metrics(world, { ...about, startTime: 0, tailscaledUp: true })
    .filter(({ name }) => name.startsWith('culvert_relay_'))
    .flatMap(({ name, samples: all }) =>
      all.map(({ labels, value }) => [name.slice(14), labels && Object.values(labels).join(' '), value]),
    )
  expect(samples).toEqual([
    ['connections', undefined, 3],
    ['connections_refused_total', undefined, 1],
    ['begun_total', 'tcp', 9],
    ['begun_total', 'udp', 5],
    ['bytes_total', 'tcp to-target', 3000],
    ['bytes_total', 'tcp from-target', 2],
    ['bytes_total', 'udp to-target', 0],
    ['bytes_total', 'udp from-target', 2048],
    ['sessions', undefined, 2],
    ['sessions_evicted_total', undefined, 7],
    ['datagrams_dropped_total', 'no-backend', 4],
    ['datagrams_dropped_total', 'busy', 0],
    ['datagrams_dropped_total', 'refused', 1],
  ])
})

test('a port that is not open keeps the Pod from being ready', () => {
  const before = aWorld({}, one)
  const failed = { ...before, reports: { [relayKey.name]: aReport(planRelay(before), { error: 'udp/53: taken' }) } }
  expect(check(failed, 'relay')).toMatchObject({ state: 'failing', reason: 'udp/53: taken', gates: true })
  expect(statusView(failed, about)['targets']).toMatchObject([{ forwarded: false, problem: 'udp/53: taken', from: [] }])
  // The serve config was never valid.
  const unserved = { ...before, reports: { [relayKey.name]: aReport(planRelay(before)) } }
  expect(statusView(unserved, about)['targets']).toMatchObject([{ forwarded: false, problem: 'nothing is served yet' }])
})
