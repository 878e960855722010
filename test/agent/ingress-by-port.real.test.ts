import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
import type { Page, Visit } from './programs/visit.ts'
import { Proxy } from './proxy.ts'
import { mountServeConfig, program, serveFile, visitFrom } from './serving.ts'

const hosts = {
  client: { network: 'wan', tailscaled: true },
  proxy: { network: 'cluster' },
  backend: { network: 'cluster' },
} as const

let bed: Bed<keyof typeof hosts>
let web: string
let own: { v4: string; v6: string }
beforeAll(async () => {
  bed = await startBed({ hosts, acme: true })
  web = String(bed.host('backend').address.v4)
  const served = await bed.host('backend').spawn([process.execPath, program('backend.ts'), '80', '81'], { name: 'web' })
  await served.line(/listening/)
  await startEcho(bed.host('backend'), { ports: [7000, 7001] })
  // What is not forwarded reaches the Pod itself.
  await startEcho(bed.host('proxy'), { ports: [7001] })
})
afterAll(async () => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const site = {
  TCP: { 443: { HTTPS: true } },
  Web: { '${TS_CERT_DOMAIN}:443': { Handlers: { '/': { Text: 'a site' } } } },
}
const alsoOn = (port: number) => ({ ...site, TCP: { ...site.TCP, [port]: { TCPForward: `${web}:81` } } })
const start = async (ports: string): Promise<Proxy> => {
  const proxy = await Proxy.ready(bed, {
    TS_DEST_IP: '10.98.0.11,fd98::11',
    CULVERT_DEST_PORTS: ports,
    TS_SERVE_CONFIG: serveFile,
    TS_AUTHKEY: await bed.authKey(),
    CULVERT_TEST_SHORT_WAITS: 'true',
  })
  own = await proxy.own()
  return proxy
}
const both = ['v4', 'v6'] as const
const visit = (family: 'v4' | 'v6', what: Partial<Visit> & Pick<Visit, 'port'>): Promise<Page | string> =>
  visitFrom(bed.host('client'), { name: 'proxy.lab.ts.net', to: own[family], ...what })
const answer = (family: 'v4' | 'v6', protocol: 'tcp' | 'udp', port: number) =>
  ask(bed.host('client'), { to: own[family], protocol, port })

it('one name serves HTTPS, and forwards the listed ports of TCP and UDP and no others', async () => {
  mountServeConfig(bed.host('proxy'), site)
  await using proxy = await start('tcp/7000, udp/6990-7000, tcp/8080:7000, udp/53:7000')
  for (const family of both) {
    await expect.poll(() => visit(family, { port: 443, tls: true })).toMatchObject({ status: 200, body: 'a site' })
    for (const [protocol, port] of [
      ['tcp', 7000],
      ['udp', 7000],
      ['tcp', 8080],
      ['udp', 53],
    ] as const) {
      expect(await answer(family, protocol, port)).toMatchObject({
        host: 'backend',
        peer: proxy.host.address[family],
      })
    }
    for (const protocol of ['tcp', 'udp'] as const) {
      expect(await answer(family, protocol, 7001)).toMatchObject({ host: 'proxy' })
    }
    await expect(answer(family, 'tcp', 80)).rejects.toThrow('ECONNREFUSED')
    // Larger than the tunnel's packets, in both directions.
    const large = { to: own[family], port: 8080, protocol: 'tcp', padding: 1_000_000, count: 3, every: 200 } as const
    const traffic = await startTraffic(bed.host('client'), large)
    expect(await traffic.done()).toMatchObject({ answered: 3, lost: 0, errors: noEntries })
  }
  expect(await proxy.until(({ ready }) => ready)).toMatchObject({
    ports: { forwarded: ['tcp/7000', 'tcp/8080:7000', 'udp/53:7000', 'udp/6990-7000'], problems: [] },
    serve: { ports: [443], problems: [] },
    checks: { ports: { state: 'ok' } },
  })
  expect(proxy.lines.join('\n')).toContain(
    `forwarding tcp/7000, tcp/8080:7000, udp/53:7000, udp/6990-7000 of ${own.v6} to fd98::11`,
  )
  expect(proxy.lines.filter((line) => /warning|error/.test(line))).toEqual([])
})

it('a port that the serve config takes is served, which is reported, and forwarded again when it is given back', async () => {
  mountServeConfig(bed.host('proxy'), site)
  await using proxy = await start('tcp/7000-7001,udp/7000')
  const traffic = (port: number) =>
    Promise.all(both.map((family) => startTraffic(bed.host('client'), { to: own[family], protocol: 'tcp', port })))
  const [stay, taken] = [await traffic(7000), await traffic(7001)]
  const udp = await startTraffic(bed.host('client'), { to: own.v4, protocol: 'udp' })
  await expect.poll(() => [...stay, ...taken, udp].every(({ report }) => (report?.answered ?? 0) > 5)).toBe(true)
  mountServeConfig(bed.host('proxy'), alsoOn(7001))
  for (const flow of taken) expect(await flow.done()).toMatchObject({ broken: { code: 'ECONNRESET' } })
  for (const family of both) {
    await expect.poll(() => visit(family, { port: 7001, data: 'hello\n' })).toMatchObject({ body: 'hello\n' })
  }
  const problem = /^tcp\/7001 is in the serve config and in CULVERT_DEST_PORTS: it is served and not forwarded/
  expect(await proxy.until(({ ready, checks }) => ready && checks['ports']?.state === 'failing')).toMatchObject({
    ports: { forwarded: ['tcp/7000', 'udp/7000'], problems: [expect.stringMatching(problem)] },
    checks: { ports: { state: 'failing', reason: expect.stringMatching(problem) as string } },
  })
  await proxy.process.line(/warning: tcp\/7001 is in the serve config and in CULVERT_DEST_PORTS/)
  expect((await proxy.command('status')).stdout).toMatch(/^ports: tcp\/7000, udp\/7000\n {2}! tcp\/7001 is in/m)

  mountServeConfig(bed.host('proxy'), site)
  for (const family of both) {
    await expect.poll(() => answer(family, 'tcp', 7001).catch(String)).toMatchObject({ host: 'backend' })
  }
  await proxy.process.line(/what is forwarded is good again/)
  expect(await proxy.until(({ ports }) => ports?.problems.length === 0)).toMatchObject({
    ports: { forwarded: ['tcp/7000-7001', 'udp/7000'] },
    reconcilers: { forwarding: { repairs: 0, error: null } },
  })
  for (const flow of stay) expect(await flow.stop()).toMatchObject({ lost: 0, errors: noEntries })
  const { answered, lost } = await udp.stop()
  expect(lost).toBeLessThan(answered / 20)
})

// The rules of 5,000 are in test/netfilter/by-port-packets.real.test.ts.
it('1,000 ports', async () => {
  mountServeConfig(bed.host('proxy'), site)
  const ports = Array.from(
    { length: 1000 },
    (_, index) => `${index % 2 > 0 ? 'udp' : 'tcp'}/${10_000 + 2 * index}:7000`,
  )
  await using proxy = await start(ports.join(','))
  for (const family of both) {
    expect(await answer(family, 'tcp', 11_996)).toMatchObject({ host: 'backend' })
    expect(await answer(family, 'udp', 11_998)).toMatchObject({ host: 'backend' })
    await expect(answer(family, 'tcp', 11_998)).rejects.toThrow('ECONNREFUSED')
  }
  mountServeConfig(bed.host('proxy'), alsoOn(11_996))
  await expect.poll(() => visit('v4', { port: 11_996, data: 'hello\n' })).toMatchObject({ body: 'hello\n' })
  expect(await proxy.until(({ ports: listed }) => listed?.forwarded.length === 999)).toMatchObject({
    reconcilers: { forwarding: { repairs: 0, error: null } },
  })
})
