import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { startCapture } from '../lab/traffic/capture.ts'
import { ask, startEcho, startPush, startTraffic, type Traffic } from '../lab/traffic/traffic.ts'
import { onDisk, Proxy } from './proxy.ts'

// tailscaled is killed under traffic. Each test names its state: on disk the node returns as it was, in memory it is a
// new one.
let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  bed = await startBed()
  await startEcho(bed.host('backend'))
  await startPush(bed.host('backend'), pushPort)
})
afterAll(async () => bed.down())

/** On this port the backend keeps sending, whether the client answers or not, which would show a leak. */
const pushPort = 7001
const target = { TS_DEST_IP: '10.98.0.11,fd98::11' }
/**
 * Addresses of the tailnet, which must never be seen outside its tunnel. 100.100.100.100 is excepted: the kernel
 * answers to it when tailscaled probes segmentation offload of its new device, which is no client's packet.
 */
const tailnetAddresses = '(net 100.64.0.0/10 or net fd7a:115c:a1e0::/48) and not host 100.100.100.100'

async function flows(own: { v4: string; v6: string }): Promise<Traffic[]> {
  // One datagram per family makes the backend push; it may be lost while the client finds the node again.
  for (const to of [own.v4, own.v6]) {
    const push = () => ask(bed.host('client'), { to, port: pushPort, protocol: 'udp', patience: 5000 }).catch(String)
    await expect.poll(push).toMatchObject({ host: 'backend' })
  }
  const options = { every: 10, padding: 3000 }
  return Promise.all(
    [own.v4, own.v6].flatMap((to) => [
      startTraffic(bed.host('client'), { to, protocol: 'tcp', ...options }),
      startTraffic(bed.host('client'), { to, protocol: 'udp', ...options, padding: 0 }),
    ]),
  )
}

async function kill(proxy: Proxy): Promise<void> {
  const { tailscaled } = await proxy.status()
  await proxy.host.exec(['kill', '-KILL', String(tailscaled.pid)])
}

const again = async (proxy: Proxy, restarts: number) =>
  proxy.until((status) => status.ready && status.tailscaled.restarts === restarts)

describe('state on disk', () => {
  it('rules stay, flows go on, nothing leaves in the clear', async () => {
    await using proxy = await Proxy.ready(bed, { ...target, ...onDisk, TS_AUTHKEY: await bed.authKey() })
    const own = await proxy.own()
    const traffic = await flows(own)
    const capture = await startCapture(proxy.host, 'eth0', tailnetAddresses)
    const inside = await startCapture(proxy.host, 'eth0', 'port 7000')
    const rules = (await proxy.host.exec(['nft', '-a', 'list', 'table', 'inet', 'culvert'])).stdout
    for (const restarts of [1, 2]) {
      await inside.more(50)
      await kill(proxy)
      await again(proxy, restarts)
    }
    const answered = traffic.map(({ report }) => report?.answered ?? 0)
    await expect
      .poll(() => traffic.map(({ report }, index) => (report?.answered ?? 0) > (answered[index] ?? 0)))
      .toEqual([true, true, true, true])
    expect(await capture.stop()).toEqual([])
    await inside.stop()
    expect((await proxy.host.exec(['nft', '-a', 'list', 'table', 'inet', 'culvert'])).stdout).toBe(rules)
    expect(await proxy.own()).toEqual(own)
    const reports = await Promise.all(traffic.map((flow) => flow.stop()))
    for (const report of reports) expect(report).not.toHaveProperty('broken')
  })

  it('the guard holds for as long as tailscaled is away', async () => {
    // A node that the client does not know yet: it would miss an earlier node's answers for five seconds.
    const env = { ...target, TS_STATE_DIR: '/var/lib/another', TS_AUTHKEY: await bed.authKey() }
    await using proxy = await Proxy.ready(bed, env)
    const traffic = await flows(await proxy.own())
    const capture = await startCapture(proxy.host, 'eth0', tailnetAddresses)
    const pushed = await startCapture(proxy.host, 'eth0', `src port ${pushPort}`)
    // The stopped agent does not restart tailscaled: the backend's replies meanwhile have no device to leave by.
    proxy.process.kill('SIGSTOP')
    await proxy.host.exec(['pkill', '-KILL', '-x', 'tailscaled'])
    await pushed.more(50)
    await pushed.stop()
    expect(await capture.stop()).toEqual([])
    // Shows that the guard is what drops them: without it the same replies follow the default route.
    const unguarded = await startCapture(proxy.host, 'eth0', tailnetAddresses)
    await proxy.host.exec(['nft', 'flush', 'chain', 'inet', 'culvert', 'guard'])
    await expect.poll(() => unguarded.packets.length).toBeGreaterThan(0)
    proxy.process.kill('SIGCONT')
    await again(proxy, 1)
    await Promise.all(traffic.map((flow) => flow.abandon()))
  })
})

describe('state in memory', () => {
  it('a reusable key: a new node with new addresses, which the rules follow; old flows are ended', async () => {
    await using proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: await bed.authKey({ reusable: true }) })
    const before = await proxy.own()
    const traffic = await flows(before)
    const capture = await startCapture(proxy.host, 'eth0', tailnetAddresses)
    await kill(proxy)
    await proxy.until((status) => status.ready && !status.node.addresses.includes(before.v4))
    const after = await proxy.own()
    for (const to of [after.v4, after.v6]) {
      for (const protocol of ['tcp', 'udp'] as const)
        expect(await ask(bed.host('client'), { to, protocol })).toMatchObject({ host: 'backend' })
    }
    expect(await capture.stop()).toEqual([])
    const tracked = async (...of: string[]) => (await proxy.host.exec(['conntrack', '-L', ...of])).stdout
    await expect.poll(() => tracked('--orig-dst', before.v4)).toBe('')
    await expect.poll(() => tracked('-f', 'ipv6', '--orig-dst', before.v6)).toBe('')
    // They keep sending, to an address that is gone.
    await Promise.all(traffic.map((flow) => flow.abandon()))
  })

  it('a used one-time key: the agent ends with 1 and says so', async () => {
    const proxy = await Proxy.ready(bed, {
      ...target,
      TS_AUTHKEY: await bed.authKey(),
      CULVERT_TEST_SHORT_WAITS: 'true',
    })
    await kill(proxy)
    expect(await proxy.ended()).toMatchObject({
      code: 1,
      reason: expect.stringMatching(/state, which was in memory.*already used.*TS_STATE_DIR/),
    })
  })
})

it('a tailscaled that hangs is not ready, until it answers again (state in memory)', async () => {
  await using proxy = await Proxy.ready(bed, {
    ...target,
    TS_AUTHKEY: await bed.authKey(),
    CULVERT_TEST_SHORT_WAITS: 'true',
  })
  const { tailscaled } = await proxy.status()
  await proxy.host.exec(['kill', '-STOP', String(tailscaled.pid)])
  await proxy.until(({ notReady }) => notReady.join().includes('tailscaled does not answer'))
  await proxy.host.exec(['kill', '-CONT', String(tailscaled.pid)])
  await proxy.until((status) => status.ready)
})

// That one that keeps hanging is killed and restarted is in endpoints.real.test.ts.
it('a tailscaled that cannot be kept running ends the agent with 1 (state on disk)', async () => {
  const proxy = await Proxy.ready(bed, {
    ...target,
    ...onDisk,
    TS_AUTHKEY: await bed.authKey(),
    CULVERT_TEST_SHORT_WAITS: 'true',
  })
  const killer = await proxy.host.spawn(['sh', '-c', 'while sleep 0.02; do pkill -KILL -x tailscaled; done'], {
    name: 'killer',
  })
  expect(await proxy.ended()).toMatchObject({
    code: 1,
    reason: expect.stringMatching(/tailscaled cannot be kept running: .*SIGKILL/),
  })
  await killer.stop()
})
