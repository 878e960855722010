import { appendFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { isSince } from '../lab/release.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { Proxy } from './proxy.ts'
import { mountServeConfig, program, servedBy, serveFile, tailscale, visitFrom } from './serving.ts'

// Configs that tailscaled accepts without complaint, although clients cannot reach their sites.
let bed: Bed<'client' | 'proxy'>
beforeAll(async () => {
  bed = await startBed({
    hosts: { client: { network: 'wan', tailscaled: true }, proxy: { network: 'cluster' } },
  })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const mount = (config: object | string): void => mountServeConfig(bed.host('proxy'), config)

/** Starts an agent with this serve config, as a new node. */
async function serving(config: object): Promise<Proxy> {
  mount(config)
  return Proxy.ready(bed, {
    TS_USERSPACE: 'true',
    TS_SERVE_CONFIG: serveFile,
    TS_AUTHKEY: await bed.authKey(),
    CULVERT_TEST_SHORT_WAITS: 'true',
  })
}

it('a site with an earlier name of the node is reported, with the node’s present name', async () => {
  const [before, after] = ['proxy.lab.ts.net', 'client-1.lab.ts.net']
  const site = (name: string) => ({
    TCP: { 80: { HTTP: true } },
    Web: { [`${name}:80`]: { Handlers: { '/': { Text: 'found' } } } },
  })
  await using proxy = await serving(site(before))
  const { v4: to } = await proxy.own()
  const visit = (name: string) => visitFrom(bed.host('client'), { to, port: 80, name })
  await expect.poll(() => visit(before)).toMatchObject({ body: 'found' })
  expect((await proxy.status()).serve?.problems).toEqual([])

  // Another node already has this name.
  await proxy.host.exec([...tailscale, 'set', '--hostname=client'])
  const { serve, checks } = await proxy.until((status) => status.serve?.problems.length === 1 && status.ready)
  const problem = `no client finds what is served as ${before}: the name of this node is ${after}. Write \${TS_CERT_DOMAIN}`
  expect(serve?.problems).toEqual([{ entry: 'port 80', problem: expect.stringContaining(problem) as string }])
  expect(checks['serve-config']?.state).toBe('failing')
  await proxy.process.line(/warning: port 80: no client finds what is served as proxy/)
  expect(await visit(after)).toMatchObject({ status: 404 })

  mount(site('${TS_CERT_DOMAIN}'))
  await expect.poll(() => visit(after)).toMatchObject({ body: 'found' })
  await proxy.process.line(/what is served is good again/)
})

it('targets without a host, and with a dot at the end, are the same as for tailscaled', async () => {
  const backend = await bed.host('proxy').spawn([process.execPath, program('backend.ts'), '3000', '3001'], {
    name: 'backend',
  })
  await backend.line(/listening/)
  appendFileSync(bed.host('proxy').path('/etc/hosts'), '127.0.0.1 db.default.svc.cluster.local\n')
  const to = (target: string) => ({ Handlers: { '/': { Proxy: target } } })
  await using proxy = await serving({
    TCP: {
      80: { HTTP: true },
      81: { HTTP: true },
      82: { TCPForward: ':3001' },
      83: { TCPForward: 'db.default.svc.cluster.local.:3001' },
    },
    Web: { '${TS_CERT_DOMAIN}:80': to(':3000'), '${TS_CERT_DOMAIN}:81': to('http://:3000') },
  })
  const { v4 } = await proxy.own()
  const { serve } = await proxy.until((status) => typeof status.serve?.domain === 'string')
  const visit = (port: number, data?: string) =>
    visitFrom(bed.host('client'), { to: v4, name: serve?.domain ?? '', port, ...(data !== undefined && { data }) })
  for (const port of [80, 81]) await expect.poll(() => visit(port)).toMatchObject({ status: 200 })
  for (const port of [82, 83]) await expect.poll(() => visit(port, 'hello\n')).toMatchObject({ body: 'hello\n' })
})

// Earlier releases do not have that command.
it.runIf(isSince('1.90'))(
  'the output of `tailscale serve get-config` is rejected, since it does not say what is HTTPS',
  async () => {
    const Web = { 'web.lab.ts.net:443': { Handlers: { '/': { Proxy: 'http://localhost:3000' } } } }
    const services = { Services: { 'svc:web': { TCP: { 443: { HTTPS: true } }, Web } } }
    await using proxy = await serving(services)
    await expect.poll(() => servedBy(proxy)).toEqual(services)
    const getConfig = async (of: string): Promise<string> =>
      (await proxy.host.exec([...tailscale, 'serve', 'get-config', of])).stdout
    const all = await getConfig('--all')
    expect(JSON.parse(all)).toMatchObject({
      services: { 'svc:web': { endpoints: { 'tcp:443': 'http://localhost:3000' } } },
    })
    const one = await getConfig('--service=svc:web')
    // tailscale itself turns it into plain HTTP.
    const client = bed.host('client')
    writeFileSync(client.path('/tmp/all.json'), all)
    await client.exec(['tailscale', 'serve', 'set-config', '--all', '/tmp/all.json'])
    const { stdout } = await client.exec(['tailscale', 'serve', 'status', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ Services: { 'svc:web': { TCP: { 443: { HTTP: true } } } } })

    mount(all)
    await proxy.process.line(/warning: serve-config: svc:web, Services\["svc:web"\]\.endpoints: this is the format of/)
    mount(one)
    await proxy.process.line(/serve-config\.json: endpoints: this is the format of .*; the last good one stays in use/)
    expect(await servedBy(proxy)).toEqual(services)
  },
)

it.skipIf(isSince('1.92'))(
  'the PROXY protocol ends the agent where tailscaled cannot speak it, since backends would wait for its header',
  async () => {
    const proxy = await Proxy.start(bed, {
      TS_USERSPACE: 'true',
      TS_DEST_IP: '10.98.0.11',
      CULVERT_DEST_PORTS: 'tcp/80',
      CULVERT_PROXY_PROTOCOL: '2',
      TS_AUTHKEY: await bed.authKey(),
      CULVERT_TEST_SHORT_WAITS: 'true',
    })
    const { code, reason } = await proxy.ended()
    expect(code).toBe(1)
    expect(reason).toContain('CULVERT_PROXY_PROTOCOL needs tailscaled 1.92 or later, and this is 1.80')
  },
)
