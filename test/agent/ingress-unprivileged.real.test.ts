import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { shortTimings } from '../../agent/world/timings.ts'
import { CulvertError } from '../../lib/errors.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, askAll, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
import { Proxy } from './proxy.ts'
import { mountServeConfig, program, servedBy, serveFile, visitFrom } from './serving.ts'

const name = 'web.cluster.test'
let bed: Bed<'client' | 'proxy' | 'one' | 'two'>
let one: { v4: string; v6: string }
let two: { v4: string; v6: string }
beforeAll(async () => {
  const cluster = { network: 'cluster' } as const
  const client = { network: 'wan', tailscaled: true } as const
  bed = await startBed({ hosts: { client, proxy: cluster, one: cluster, two: cluster } })
  await Promise.all((['one', 'two'] as const).map((host) => startEcho(bed.host(host))))
  const speaker = await bed
    .host('one')
    .spawn([process.execPath, program('client-address.ts'), '9000'], { name: 'speaker' })
  await speaker.line(/listening/)
  ;[one, two] = [bed.host('one').address, bed.host('two').address] as { v4: string; v6: string }[] as [
    typeof one,
    typeof two,
  ]
  writeFileSync(bed.host('proxy').path('/etc/resolv.conf'), 'nameserver 10.99.0.1\n')
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

/** As a Pod under Pod Security "restricted" has it: no capability and no TUN device. */
const restricted = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs']

async function start(env: Record<string, string>, wrap: readonly string[] = restricted): Promise<Proxy> {
  const own = { TS_USERSPACE: 'true', TS_AUTHKEY: await bed.authKey(), CULVERT_TEST_SHORT_WAITS: 'true' }
  const proxy = await Proxy.start(bed, { ...own, ...env }, { wrap })
  await proxy.until(({ ready }) => ready)
  return proxy
}

const client = () => bed.host('client')
const protocols = ['tcp', 'udp'] as const

/** Counts the answers to new connections or sessions by backend. */
async function answering(to: string, protocol: 'tcp' | 'udp'): Promise<Record<string, number>> {
  const answers = await askAll(
    client(),
    Array.from({ length: 60 }, () => ({ to, protocol })),
  )
  const who = answers.map((answer) => (answer instanceof CulvertError ? answer.message : answer.host))
  return Object.fromEntries([...Map.groupBy(who, (host) => host)].map(([host, all]) => [host, all.length]))
}

it('listed ports are forwarded without any right, for clients of both families, and no others', async () => {
  await using proxy = await start({
    TS_DEST_IP: one.v4,
    CULVERT_DEST_PORTS: 'tcp/7000,udp/7000,tcp/8080-8081,tcp/81:7000,udp/5353:7000',
  })
  const own = await proxy.own()
  for (const to of [own.v4, own.v6]) {
    for (const protocol of protocols) {
      for (const port of [7000, protocol === 'tcp' ? 81 : 5353]) {
        expect(await ask(client(), { to, protocol, port, data: `${protocol} ${port}` })).toMatchObject({
          host: 'one',
          data: `${protocol} ${port}`,
        })
      }
    }
    await expect(ask(client(), { to, protocol: 'tcp', port: 8080 })).rejects.toThrow(/EOF|ECONNRE/)
    await expect(ask(client(), { to, protocol: 'tcp', port: 9000 })).rejects.toThrow(/ECONNREFUSED/)
  }
  // Datagrams go through the agent, TCP for a single backend does not.
  const status = await proxy.until(({ relay }) => (relay?.begunSessions ?? 0) >= 4)
  const bytes = { toBytes: expect.toSatisfy((count: number) => count > 0), fromBytes: expect.anything() }
  expect(status.relay?.bytes).toMatchObject({ udp: bytes, tcp: { toBytes: 0, fromBytes: 0 } })
  expect(status.traffic).toBeNull()
  expect(status.targets).toEqual([
    { address: one.v4, family: 'IPv4', forwarded: true, problem: null, from: [own.v4, own.v6] },
  ])
  expect(status.firewall).toBeNull()
  expect(proxy.lines.join('\n')).toContain(
    `forwarding tcp/81:7000, tcp/7000, tcp/8080-8081, udp/5353:7000, udp/7000 of the node to ${one.v4}, without a TUN device`,
  )
})

it('an IPv6 backend serves clients of both families', async () => {
  await using proxy = await start({ TS_DEST_IP: one.v6, CULVERT_DEST_PORTS: 'tcp/7000,udp/7000' })
  const own = await proxy.own()
  for (const to of [own.v4, own.v6]) {
    for (const protocol of protocols) expect(await ask(client(), { to, protocol })).toMatchObject({ host: 'one' })
  }
})

it('large streams and the largest datagrams pass', async () => {
  await using proxy = await start({ TS_DEST_IP: `${one.v4},${two.v4}`, CULVERT_DEST_PORTS: 'tcp/7000,udp/7000' })
  const own = await proxy.own()
  const stream = await startTraffic(client(), {
    to: own.v4,
    protocol: 'tcp',
    padding: 1_000_000,
    count: 10,
    every: 200,
  })
  expect(await stream.done()).toMatchObject({ answered: 10, lost: 0, errors: noEntries })
  // The echo's answer is longer than the question.
  const data = 'x'.repeat(65_000)
  expect(await ask(client(), { to: own.v4, protocol: 'udp', data })).toMatchObject({ data })
})

it('several backends get equal shares of connections and sessions', async () => {
  await using proxy = await start({ TS_DEST_IP: `${one.v4},${two.v4}`, CULVERT_DEST_PORTS: 'tcp/7000,udp/7000' })
  const own = await proxy.own()
  for (const to of [own.v4, own.v6]) {
    for (const protocol of protocols) {
      const { one: first = 0, two: second = 0 } = await answering(to, protocol)
      expect(first + second).toBe(60)
      // Less than this has a chance of one in a hundred million.
      expect(Math.min(first, second)).toBeGreaterThan(8)
    }
  }
  // tailscaled leads the node's ports to 127.0.0.1, where clients would get to the relay past the PROXY header.
  const { stdout } = await proxy.host.exec(['ss', '-Hlnt'])
  const [, port] = /\s127\.0\.0\.2:(\d+)/.exec(stdout)!
  for (const to of [own.v4, own.v6]) {
    await expect(ask(client(), { to, protocol: 'tcp', port: Number(port) })).rejects.toThrow(/ECONNREFUSED/)
  }
})

it('a name is waited for, and followed: new connections go to its present addresses, open ones stay', async () => {
  const resolvesTo = (value: string | undefined) =>
    bed.control.putUnderlay({
      mode: 'normal',
      records: value === undefined ? [] : [{ name, type: 'A', value, ttl: 1 }],
    })
  await resolvesTo(undefined)
  const env = { TS_EXPERIMENTAL_DEST_DNS_NAME: `${name}.`, CULVERT_DEST_PORTS: 'tcp/7000,udp/7000' }
  await using proxy = await Proxy.start(
    bed,
    { TS_USERSPACE: 'true', TS_AUTHKEY: await bed.authKey(), CULVERT_TEST_SHORT_WAITS: 'true', ...env },
    { wrap: restricted },
  )
  await proxy.until(({ checks }) => checks['relay']?.state === 'waiting' && checks['tailscaled']?.state === 'ok')
  await resolvesTo(one.v4)
  await proxy.until(({ ready }) => ready)
  const own = await proxy.own()
  for (const protocol of protocols) expect(await ask(client(), { to: own.v4, protocol })).toMatchObject({ host: 'one' })
  const open = await startTraffic(client(), { to: own.v4, protocol: 'tcp', every: 100 })
  await expect.poll(() => open.report?.answered ?? 0).toBeGreaterThan(0)
  const before = open.report!
  await resolvesTo(two.v4)
  await expect.poll(() => answering(own.v4, 'tcp')).toEqual({ two: 60 })
  expect(await ask(client(), { to: own.v6, protocol: 'udp' })).toMatchObject({ host: 'two' })
  // It ends only once its backend has not been among the name's addresses for a while.
  const { broken, answered } = await open.done()
  expect(broken!.at - before.elapsed).toBeGreaterThan(shortTimings.backendLeave)
  expect(answered).toBeGreaterThan(before.answered)
})

it.each([
  ['1', 'one', 'true'],
  ['2', 'one', 'true'],
  ['2', 'several', 'true'],
  ['1', 'several', 'false'],
  ['2', 'one', 'false'],
] as const)(
  'PROXY protocol %s tells %s backend who the client is; TS_USERSPACE=%s',
  async (version, many, userspace) => {
    const env = {
      TS_USERSPACE: userspace,
      TS_DEST_IP: many === 'one' ? one.v4 : `${one.v4},${one.v6}`,
      CULVERT_DEST_PORTS: 'tcp/9000,udp/7000',
      CULVERT_PROXY_PROTOCOL: version,
    }
    await using proxy = await start(env, userspace === 'true' ? restricted : [])
    const own = await proxy.own()
    const addresses = (await bed.control.node('client')).addresses.map((prefix) => prefix.split('/')[0])
    for (const to of [own.v4, own.v6]) {
      const page = await visitFrom(client(), { name: 'proxy', to, port: 9000, data: 'hello\n' })
      const said = JSON.parse((page as { body: string }).body) as { client: string }
      expect(said).toMatchObject({ version: Number(version), data: 'hello' })
      expect(addresses).toContain(said.client)
    }
    expect(await ask(client(), { to: own.v4, protocol: 'udp' })).toMatchObject({ host: 'one' })
  },
)

it('a port of the serve config is served, and the others are forwarded under the same name', async () => {
  const site = (port: number) => ({
    TCP: { [port]: { HTTP: true } },
    Web: { [`proxy.lab.ts.net:${port}`]: { Handlers: { '/': { Text: 'a text' } } } },
  })
  mountServeConfig(bed.host('proxy'), site(80))
  await using proxy = await start({
    TS_DEST_IP: one.v4,
    TS_SERVE_CONFIG: serveFile,
    CULVERT_DEST_PORTS: 'tcp/7000,udp/7000',
  })
  const own = await proxy.own()
  const visit = (port: number) => visitFrom(client(), { name: 'proxy.lab.ts.net', to: own.v4, port })
  expect(await visit(80)).toMatchObject({ body: 'a text' })
  for (const protocol of protocols) expect(await ask(client(), { to: own.v4, protocol })).toMatchObject({ host: 'one' })
  mountServeConfig(bed.host('proxy'), site(7000))
  await expect.poll(() => visit(7000)).toMatchObject({ body: 'a text' })
  await proxy.until(
    ({ checks }) => checks['ports']?.state === 'failing' && checks['ports'].reason?.includes('tcp/7000') === true,
  )
  mountServeConfig(bed.host('proxy'), {})
  await expect
    .poll(() => ask(client(), { to: own.v4, protocol: 'tcp' }).catch(() => undefined))
    .toMatchObject({ host: 'one' })
  await expect.poll(() => servedBy(proxy)).toEqual({ TCP: { 7000: { TCPForward: `${one.v4}:7000` } } })
})

it('ports that cannot be opened are named with the remedy, and the others are forwarded', async () => {
  const bind = "require('dgram').createSocket('udp4').bind(5353, '127.0.0.1', () => console.log('bound'))"
  const taken = await bed.host('proxy').spawn([process.execPath, '--eval', bind], { name: 'taken' })
  await taken.line(/^bound$/)
  const env = { TS_DEST_IP: one.v4, CULVERT_DEST_PORTS: 'tcp/7000,udp/53,udp/5353,udp/7000' }
  await bed.host('proxy').exec(['sysctl', '-w', 'net.ipv4.ip_unprivileged_port_start=1024'])
  await using proxy = await Proxy.start(
    bed,
    { TS_USERSPACE: 'true', TS_AUTHKEY: await bed.authKey(), CULVERT_TEST_SHORT_WAITS: 'true', ...env },
    { wrap: restricted },
  )
  const { checks } = await proxy.until(
    ({ checks: now }) => now['relay']?.state === 'failing' && now['serve']?.state === 'ok',
  )
  expect(checks['relay']?.reason).toMatch(/udp\/53: .*ip_unprivileged_port_start.*udp\/5353: another program/)
  const own = await proxy.own()
  for (const protocol of protocols) expect(await ask(client(), { to: own.v4, protocol })).toMatchObject({ host: 'one' })
  taken.kill('SIGKILL')
  await bed.host('proxy').exec(['sysctl', '-w', 'net.ipv4.ip_unprivileged_port_start=0'])
  await proxy.until(({ ready }) => ready)
})
