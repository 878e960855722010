import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Host } from '../../lab/hosts/host.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { patience as ample } from '../../lab/patience.ts'
import { onDisk, Proxy } from '../proxy.ts'

let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  bed = await startBed()
})
afterAll(async () => bed.down())

type Reply = {
  readonly status: number
  readonly type: string | null
  readonly text: string
  readonly v4: string | null
}

/** Sends a request from a host; undefined without an answer within `patience` ms. */
async function ask(host: Host, url: string, { method = 'GET', headers = {}, patience = ample } = {}) {
  const script = `
    const [url, options, patience] = process.argv.slice(1)
    fetch(url, { ...JSON.parse(options), signal: AbortSignal.timeout(Number(patience)) })
      .then(async (r) => ({ status: r.status, type: r.headers.get('content-type'), text: await r.text(), v4: r.headers.get('pod-ipv4') }))
      .catch(() => undefined)
      .then((reply) => console.log(JSON.stringify(reply ?? null)))`
  const options = JSON.stringify({ method, headers })
  const { stdout } = await host.exec([process.execPath, '-e', script, url, options, String(patience)])
  return (JSON.parse(stdout) as Reply | null) ?? undefined
}

/** The value of one sample; undefined without one. */
const sample = (reply: Reply | undefined, name: string): number | undefined => {
  const line = reply?.text.split('\n').find((text) => text.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length))
}

const metricsUrl = 'http://127.0.0.1:9002/metrics'
const target = { TS_DEST_IP: '10.98.0.11,fd98::11', TS_ENABLE_METRICS: 'true' }

it('metrics, debug server and the older health listener answer before the login and after it', async () => {
  await using proxy = await Proxy.start(bed, {
    ...target,
    TS_DEBUG_ADDR_PORT: '127.0.0.1:9001',
    TS_HEALTHCHECK_ADDR_PORT: '0.0.0.0:9003',
    TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS: 'true',
    POD_IPS: '10.98.0.10',
  })
  const { host } = proxy
  await proxy.process.line(/warning: TS_HEALTHCHECK_ADDR_PORT is deprecated: use TS_ENABLE_HEALTH_CHECK=true/)
  const { loginUrl } = (await proxy.until((status) => status.tailscaled.loginUrl !== null)).tailscaled

  const before = await ask(host, metricsUrl, { headers: { origin: 'http://dashboard', referer: 'http://dashboard/' } })
  expect(before).toMatchObject({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' })
  expect(sample(before, 'culvert_ready')).toBe(0)
  expect(sample(before, 'culvert_tailscaled_up')).toBe(1)
  expect(before?.text).toMatch(/^tailscaled_health_messages/m)
  expect(await ask(host, 'http://127.0.0.1:9003/healthz')).toMatchObject({ status: 503, v4: null })
  expect(await ask(host, 'http://127.0.0.1:9002/healthz')).toMatchObject({ status: 404 })
  expect(await ask(host, 'http://127.0.0.1:9003/metrics')).toMatchObject({ status: 404 })
  expect(await ask(host, 'http://127.0.0.1:9002/readyz')).toMatchObject({ status: 503 })

  await bed.control.completeLogin(String(loginUrl))
  await proxy.process.line(/Startup complete/)
  await proxy.until(({ ready }) => ready)
  const after = await ask(host, metricsUrl)
  expect(sample(after, 'culvert_ready')).toBe(1)
  expect(sample(after, 'culvert_check_state{check="forwarding",state="ok"}')).toBe(1)
  expect(sample(after, 'culvert_reconciler_verified_timestamp_seconds{reconciler="forwarding"}')).toBeGreaterThan(
    sample(after, 'culvert_start_time_seconds') ?? Infinity,
  )
  // No metric family may occur twice, or Prometheus refuses the scrape.
  const families = [...(after?.text.matchAll(/^# TYPE (\S+)/gm) ?? [])].map(([, name]) => name)
  expect(new Set(families).size).toBe(families.length)
  expect(await ask(host, metricsUrl, { method: 'POST' })).toMatchObject({ status: 405 })
  expect(await ask(host, metricsUrl, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  expect(await ask(host, 'http://127.0.0.1:9003/healthz')).toMatchObject({ status: 200, v4: '10.98.0.10' })
  expect(await ask(host, 'http://127.0.0.1:9003/livez')).toMatchObject({ status: 200 })

  const debug = 'http://127.0.0.1:9002/debug/'
  expect((await ask(host, `${debug}pprof/cmdline`))?.text).toMatch(/^tailscaled\0/)
  expect(await ask(host, `${debug}pprof/symbol`, { method: 'POST' })).toMatchObject({ status: 200 })
  const begun = performance.now()
  expect(await ask(host, `${debug}pprof/profile?seconds=1`, { patience: 25_000 })).toMatchObject({ status: 200 })
  // Without its query it would take 30 s, longer than the request waits.
  expect(performance.now() - begun).toBeGreaterThan(1000)
  expect(await ask(host, `${debug}nothing`)).toMatchObject({ status: 404 })
  expect(proxy.lines.filter((line) => line.includes('UDP GRO forwarding'))).toHaveLength(1)

  await proxy.process.stop()
  expect(proxy.lines.slice(-2)).toEqual([
    expect.stringMatching(/^boot: .* HTTP server at \[::\]:9002 closed$/),
    expect.stringMatching(/^boot: .* HTTP server at 0\.0\.0\.0:9003 closed$/),
  ])
})

it('a tailscaled that keeps hanging is killed and restarted as the same node, which metrics show, and repairs', async () => {
  const env = { ...target, ...onDisk, CULVERT_TEST_SHORT_WAITS: 'true', TS_AUTHKEY: await bed.authKey() }
  await using proxy = await Proxy.ready(bed, env)
  const { host } = proxy
  const { tailscaled: hung, node } = await proxy.status()
  await host.exec(['kill', '-STOP', String(hung.pid)])
  await proxy.until(({ notReady }) => notReady.join().includes('tailscaled does not answer'))
  const hanging = await ask(host, metricsUrl)
  expect(hanging).toMatchObject({ status: 200 })
  expect(sample(hanging, 'culvert_ready')).toBe(0)
  expect(sample(hanging, 'culvert_tailscaled_up')).toBe(0)
  expect(sample(hanging, 'culvert_check_state{check="tailscaled",state="failing"}')).toBe(1)
  expect(hanging?.text).not.toMatch(/^tailscaled_/m)

  await host.exec(['nft', 'delete', 'table', 'inet', 'culvert'])
  await proxy.process.line(/tailscaled has not answered for 10 s: it is killed/)
  const recovered = await proxy.until(
    ({ ready, tailscaled, reconcilers }) => ready && tailscaled.restarts > 0 && reconcilers.forwarding?.repairs === 1,
  )
  expect(recovered.node.id).toBe(node.id)
  const after = await ask(host, metricsUrl)
  expect(sample(after, 'culvert_tailscaled_up')).toBe(1)
  expect(sample(after, 'culvert_tailscaled_restarts_total')).toBe(1)
  expect(sample(after, 'culvert_reconciler_repairs_total{reconciler="forwarding"}')).toBe(1)
  expect(sample(after, 'culvert_reconciler_failures_total{reconciler="forwarding"}')).toBe(0)
})

it('in userspace mode the tailnet reaches listeners on all addresses, but not those on the Pod’s address', async () => {
  const url = async (proxy: Proxy): Promise<string> => `http://${(await proxy.own()).v4}:9002/metrics`
  const userspace = { TS_USERSPACE: 'true', TS_ENABLE_METRICS: 'true' }
  {
    await using proxy = await Proxy.ready(bed, { ...userspace, TS_AUTHKEY: await bed.authKey() })
    expect(await ask(bed.host('client'), await url(proxy))).toMatchObject({ status: 200 })
  }
  const address = `${bed.host('proxy').address.v4}:9002`
  const env = { ...userspace, TS_LOCAL_ADDR_PORT: address, TS_AUTHKEY: await bed.authKey() }
  await using proxy = await Proxy.ready(bed, env)
  expect(await ask(bed.host('client'), await url(proxy), { patience: 3000 })).toBeUndefined()
  expect(await ask(bed.host('backend'), `http://${address}/metrics`)).toMatchObject({ status: 200 })
})
