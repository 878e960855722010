import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { startCapture } from '../lab/traffic/capture.ts'
import { ask, startEcho } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { expectDashboardShows } from '../operator/monitoring/dashboard.ts'
import { expectCounted } from './counted.ts'
import { Proxy } from './proxy.ts'

// L3 egress forwards everything to the target, except what the Pod itself must answer. The target listens on those
// ports, too.
const own = { health: 9002, debug: 9001, socks: 1055, http: 1056 }
const wireGuard = 41_641

let bed: Bed<'db' | 'near' | 'proxy' | 'app'>
let proxy: Proxy
beforeAll(async () => {
  bed = await startBed({
    hosts: {
      db: { network: 'wan', tailscaled: true },
      near: { network: 'cluster', tailscaled: true },
      proxy: { network: 'cluster' },
      app: { network: 'cluster' },
    },
  })
  await startEcho(bed.host('db'), { ports: [7000, ...Object.values(own)] })
})
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(async () => {
  printLogsOnFailure(bed)
  proxy ??= await Proxy.ready(bed, {
    TS_TAILNET_TARGET_FQDN: 'db.lab.ts.net',
    TS_ENABLE_HEALTH_CHECK: 'true',
    TS_ENABLE_METRICS: 'true',
    TS_LOCAL_ADDR_PORT: `[::]:${own.health}`,
    TS_DEBUG_ADDR_PORT: `[::]:${own.debug}`,
    TS_SOCKS5_SERVER: `:${own.socks}`,
    TS_OUTBOUND_HTTP_PROXY_LISTEN: `:${own.http}`,
    POD_IPS: Object.values(bed.host('proxy').address).join(),
    TS_AUTHKEY: await bed.authKey(),
  })
  await proxy.until(({ ready }) => ready)
})

const families = ['v4', 'v6'] as const

/** Sends `bytes`, as printf(1) writes them, to a port of the Pod, and returns what comes back soon. */
const exchange = async (family: 'v4' | 'v6', port: number, bytes: string): Promise<string> => {
  const script = `(printf '${bytes}'; sleep 0.4) | busybox nc ${proxy.host.address[family]} ${port}`
  return (await bed.host('app').exec(['sh', '-c', script], { check: false })).stdout
}

it.each<[string, number, string, string | RegExp]>([
  ['/healthz', own.health, 'GET /healthz HTTP/1.0\\r\\n\\r\\n', /^HTTP\/1\.1 200[\s\S]*Pod-IPv4: 10\.98\.0\.11/],
  ['metrics', own.health, 'GET /metrics HTTP/1.0\\r\\n\\r\\n', /culvert_ready 1/],
  ['the debug server', own.debug, 'GET /debug/metrics HTTP/1.0\\r\\n\\r\\n', /^HTTP\/1\.0 200/],
  ['the SOCKS server', own.socks, '\\005\\001\\000', '\x05\0'],
  ['the HTTP proxy', own.http, 'GET / HTTP/1.0\\r\\n\\r\\n', /^HTTP\/1\.0 \d/],
])('%s answers clients in the cluster, not the target', async (_name, port, bytes, answer) => {
  for (const family of families) await expect.poll(() => exchange(family, port, bytes)).toMatch(answer)
})

it('all other ports reach the target, and so do these when they are no longer exempt', async () => {
  for (const family of families) {
    const to = String(proxy.host.address[family])
    expect(await ask(bed.host('app'), { to, protocol: 'tcp' })).toMatchObject({ host: 'db' })
    expect(await ask(bed.host('app'), { to, port: own.health, protocol: 'udp' })).toMatchObject({
      host: 'db',
    })
  }
  proxy.process.kill('SIGSTOP')
  try {
    await proxy.host.exec(['nft', 'flush', 'set', 'inet', 'culvert', 'exempt'])
    for (const port of Object.values(own)) {
      const to = String(proxy.host.address.v6)
      expect(await ask(bed.host('app'), { to, port, protocol: 'tcp' })).toMatchObject({ host: 'db' })
    }
  } finally {
    proxy.process.kill('SIGCONT')
  }
})

it('what goes to the target is counted, how it is reached is shown, and the dashboard for proxies finds all of it', async () => {
  const of = { service: 'db.lab.ts.net.' }
  await proxy.until(({ node }) => node.online === true)
  await expectCounted(proxy, bed.host('app'), proxy.host.address, {
    open: { ...of, port: 7000 },
    closed: { ...of, port: 7009 },
  })
  expect((await proxy.status()).peers).toEqual([
    {
      name: 'db.lab.ts.net.',
      path: expect.stringMatching(/^(?:direct|derp)$/),
      via: expect.stringMatching(/./),
      lastHandshake: expect.stringMatching(/^\d{4}-/),
    },
  ])
  const scrape = ['busybox', 'wget', '-q', '-O', '-', `http://127.0.0.1:${own.health}/metrics`]
  const scraped = (await proxy.host.exec(scrape)).stdout.split('\n')
  expect(scraped).toContain('culvert_control_connected 1')
  await expectDashboardShows(scraped, 'agent-dashboard.json')
})

it('peers connect directly from inside and outside, and none of that goes into the tunnel', async () => {
  const tunnel = await startCapture(proxy.host, 'tailscale0', `udp port ${wireGuard}`)
  const direct = await startCapture(proxy.host, 'eth0', `udp port ${wireGuard}`)
  const { v4 } = await proxy.own()
  for (const host of ['near', 'db'] as const) {
    const ping = ['tailscale', 'ping', '--c=20', '--until-direct', '--timeout=2s', v4]
    // A direct path is shown as an address, a relay by its name.
    expect((await bed.host(host).exec(ping)).stdout).toMatch(/ via [\d.]+:\d+ | via \[[^\]]+\]:\d+ /)
  }
  const near = new Set([bed.host('near').address.v4, bed.host('near').address.v6])
  const packets = await direct.stop()
  expect(packets.some(({ from, to }) => near.has(from.address) && to.port === wireGuard)).toBe(true)
  expect(await tunnel.stop()).toEqual([])
})
