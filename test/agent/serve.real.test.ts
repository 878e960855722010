import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { hostsServices, isSince } from '../lab/release.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import type { Page, Visit } from './programs/visit.ts'
import { onDisk, Proxy } from './proxy.ts'
import { mountServeConfig, program, servedBy, serveFile, tailscale, visitFrom } from './serving.ts'

const hosts = {
  // Before 1.102, clients take the addresses of Tailscale Services for routes.
  client: { network: 'wan', tailscaled: { up: ['--accept-routes'] } },
  proxy: { network: 'cluster' },
  backend: { network: 'cluster' },
} as const
const name = 'proxy.lab.ts.net'

let bed: Bed<keyof typeof hosts>
let proxy: Proxy
let backend: string

beforeAll(async () => {
  bed = await startBed({ hosts, acme: true })
  backend = bed.host('backend').address.v4 ?? ''
  const web = await bed
    .host('backend')
    .spawn([process.execPath, program('backend.ts'), '80', '81'], { name: 'backend' })
  await web.line(/listening/)
  mkdirSync(bed.host('proxy').path('/tmp/www'))
  writeFileSync(bed.host('proxy').path('/tmp/www/page.txt'), 'a page\n')
})
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(() => printLogsOnFailure(bed))

/** Whether tailscaled knows redirects and PROXY protocol. */
const modern = isSince('1.92')
const redirect = { Redirect: '301:https://${HOST}${REQUEST_URI}' }
const redirected = modern ? { status: 301, location: `https://${name}/x?y` } : { status: 200, body: 'no redirect' }
const ports = [80, 443, 5432, 5433, ...(modern ? [5434] : [])]

const everything = () => ({
  TCP: {
    443: { HTTPS: true },
    80: { HTTP: true },
    5432: { TCPForward: `${backend}:81` },
    5433: { TCPForward: `${backend}:81`, TerminateTLS: '${TS_CERT_DOMAIN}' },
    ...(modern && { 5434: { TCPForward: `${backend}:81`, ProxyProtocol: 1 } }),
  },
  Web: {
    '${TS_CERT_DOMAIN}:443': {
      Handlers: {
        '/': { Proxy: `http://${backend}` },
        '/text': { Text: 'a text' },
        '/files/': { Path: '/tmp/www' },
      },
    },
    '${TS_CERT_DOMAIN}:80': { Handlers: { '/': modern ? redirect : { Text: 'no redirect' } } },
  },
})

const mount = (config: object | string): void => mountServeConfig(bed.host('proxy'), config)
const visit = async (what: Partial<Visit> & Pick<Visit, 'port'>): Promise<Page | string> =>
  visitFrom(bed.host('client'), { name, to: (await proxy.own()).v4, ...what })
const served = (): Promise<object> => servedBy(proxy)

const https = { port: 443, tls: true } as const

it('serves everything in the file, with a certificate that clients trust', async () => {
  mount(everything())
  proxy = await Proxy.ready(bed, {
    ...onDisk,
    TS_USERSPACE: 'true',
    TS_SERVE_CONFIG: serveFile,
    TS_AUTHKEY: await bed.authKey({ tags: ['tag:k8s'] }),
    CULVERT_TEST_SHORT_WAITS: 'true',
  })
  await expect.poll(() => visit(https)).toMatchObject({ status: 200 })
  const page = (await visit({ ...https, path: '/a?b' })) as Page
  expect(JSON.parse(page.body)).toMatchObject({
    url: '/a?b',
    headers: { 'x-forwarded-proto': 'https', 'x-forwarded-host': name },
  })
  expect(await visit({ ...https, path: '/text' })).toMatchObject({ status: 200, body: 'a text' })
  expect(await visit({ ...https, path: '/files/page.txt' })).toMatchObject({ status: 200, body: 'a page\n' })
  expect(await visit({ port: 80, path: '/x?y' })).toMatchObject(redirected)
  expect(await visit({ port: 5432, data: 'hello\n' })).toMatchObject({ body: 'hello\n' })
  expect(await visit({ port: 5433, tls: true, data: 'hello\n' })).toMatchObject({ body: 'hello\n' })
  if (modern)
    expect(await visit({ port: 5434, data: 'hello\n' })).toMatchObject({
      body: expect.stringMatching(/^PROXY TCP4 100\./),
    })
  expect(await proxy.until(({ ready }) => ready)).toMatchObject({
    serve: { domain: name, ports, problems: [] },
  })
  expect(proxy.lines.join('\n')).toContain(`serving ports ${ports.join(', ')} as ${name}`)
})

it.runIf(!modern)('what tailscaled does not know is reported with the reason, and all else is served', async () => {
  const { TCP, Web } = everything()
  const more = { 5435: { TCPForward: `${backend}:81` }, 5434: { TCPForward: `${backend}:81`, ProxyProtocol: 1 } }
  mount({ TCP: { ...TCP, ...more }, Web })
  await proxy.process.line(/tailscaled does not hold what it was given .*: port 5434 differs?\. .* older than 1\.92/)
  expect(await visit({ port: 5435, data: 'hello\n' })).toMatchObject({ body: 'hello\n' })
  mount(everything())
  await proxy.until(
    ({ serve, reconcilers }) => serve?.ports.length === ports.length && reconcilers['serve']?.error === null,
  )
})

it('a port changes in kind', async () => {
  const { TCP, Web } = everything()
  mount({
    TCP: { ...TCP, 80: { TCPForward: `${backend}:81` } },
    Web: { '${TS_CERT_DOMAIN}:443': Web['${TS_CERT_DOMAIN}:443'] },
  })
  await expect.poll(() => visit({ port: 80, data: 'hello\n' })).toMatchObject({ body: 'hello\n' })
  expect(await visit(https)).toMatchObject({ status: 200 })
  mount(everything())
  await expect.poll(() => visit({ port: 80, path: '/x?y' })).toMatchObject(redirected)
})

it('a mistake affects only its entry, which stays as it was; a file that cannot be read changes nothing', async () => {
  const { TCP, Web } = everything()
  mount({ TCP: { ...TCP, 443: { HTTPS: 'yes' }, 5432: { TCPForward: `${backend}:80` } }, Web })
  await expect
    .poll(() => visit({ port: 5432, data: 'GET / HTTP/1.0\r\n\r\n' }))
    .toMatchObject({
      body: expect.stringContaining('200 OK') as string,
    })
  expect(await visit(https)).toMatchObject({ status: 200 })
  await proxy.process.line(/serve-config: port 443, TCP\["443"\]\.HTTPS: "yes" is not true or false/)
  mount('{"TCP":')
  await proxy.process.line(/it is not JSON/)
  expect(await visit(https)).toMatchObject({ status: 200 })
  await proxy.until(({ ready, checks }) => ready && checks['serve-config']?.state === 'failing')
  mount(everything())
  await proxy.process.line(/serve-config is good again/)
})

it('HTTPS is switched off in the tailnet, and on again: only what needs it waits', async () => {
  await bed.control.putSettings({ https: false })
  await proxy.until(({ serve }) => serve?.domain === null)
  await expect.poll(() => visit(https)).toBe('ECONNREFUSED')
  await expect.poll(() => visit({ port: 5432, data: 'hello\n' })).toMatchObject({ body: 'hello\n' })
  const { serve } = await proxy.until(({ ready }) => ready)
  expect(serve?.problems).toContainEqual({ entry: 'port 443', problem: expect.stringContaining('HTTPS') as string })
  await bed.control.putSettings({ https: true })
  await expect.poll(() => visit(https)).toMatchObject({ status: 200 })
})

it('what tailscaled refuses affects only its entry, and is reported in its words; once accepted it is served', async () => {
  await proxy.host.exec([...tailscale, 'set', '--shields-up'])
  const [{ TCP, Web }, more] = [everything(), { 5435: { TCPForward: `${backend}:81` } }]
  mount({ TCP: { ...TCP, ...more }, Web, AllowFunnel: { '${TS_CERT_DOMAIN}:443': true } })
  const { checks } = await proxy.until(({ reconcilers, ready }) => reconcilers['serve']?.error !== null && ready)
  expect(checks['serve-config']?.reason).toMatch(/port 443: .*shields-up/i)
  expect(await served()).toMatchObject({ TCP: { 443: { HTTPS: true }, ...more } })
  expect(await served()).not.toHaveProperty('AllowFunnel')
  await proxy.host.exec([...tailscale, 'set', '--shields-up=false'])
  await expect.poll(served).toMatchObject({ AllowFunnel: { [`${name}:443`]: true } })
  expect(await visit(https)).toMatchObject({ status: 200 })
  mount(everything())
  await expect.poll(served).not.toHaveProperty('AllowFunnel')
})

it('changes by another program are reverted, and what tailscaled lost is restored', async () => {
  await proxy.host.exec([...tailscale, 'serve', 'reset'])
  await expect.poll(() => visit(https)).toMatchObject({ status: 200 })
  await proxy.until(({ reconcilers }) => (reconcilers['serve']?.repairs ?? 0) > 0)
  const { tailscaled } = await proxy.status()
  await proxy.host.exec(['kill', '-KILL', String(tailscaled.pid)])
  await proxy.until((status) => status.tailscaled.restarts > 0 && status.ready)
  await expect.poll(() => visit(https)).toMatchObject({ status: 200 })
})

it('serves a thousand handlers, and files that change twenty times a second', async () => {
  const Handlers = (text: string) =>
    Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`/app-${n}/`, { Text: `${text} ${n}` }]))
  const many = (text: string) => ({
    TCP: { 443: { HTTPS: true } },
    Web: { '${TS_CERT_DOMAIN}:443': { Handlers: Handlers(text) } },
  })
  const began = performance.now()
  mount(many('first'))
  await expect.poll(() => visit({ ...https, path: '/app-999/' })).toMatchObject({ body: 'first 999' })
  console.log(`a thousand handlers: ${Math.round(performance.now() - began)} ms until a client is served so`)
  const turns: string[] = []
  const swapping = setInterval(() => {
    turns.push(`turn ${turns.length}`)
    mount(many(turns.at(-1)!))
  }, 50)
  try {
    for (let asked = 0; asked < 10 || turns.length < 60; asked += 1) {
      expect(await visit({ ...https, path: '/app-500/' })).toMatchObject({
        body: expect.stringMatching(/^(first|turn \d+) 500$/) as string,
      })
    }
  } finally {
    clearInterval(swapping)
  }
  mount(many('last'))
  await expect.poll(() => visit({ ...https, path: '/app-0/' })).toMatchObject({ body: 'last 0' })
})

it('an empty config ends everything that is served', async () => {
  mount({})
  await expect.poll(() => visit(https)).toBe('ECONNREFUSED')
  const { serve } = await proxy.until((status) => status.ready && status.serve?.ports.length === 0)
  expect(serve?.problems).toEqual([])
})

it.skipIf(hostsServices)('clients cannot reach a Tailscale Service that is served, which is said', async () => {
  await bed.control.putService('svc:web', { autoApprove: true })
  mount({ Services: { 'svc:web': { TCP: { 5432: { TCPForward: `${backend}:81` } } } } })
  await proxy.process.line(/warning: clients cannot reach the Tailscale Services .*1\.82 is the first/)
})

const test = it.runIf(hostsServices)
test('a Tailscale Service is advertised while it is served, and withdrawn at the stop while it is still served', async () => {
  const { addresses } = await bed.control.putService('svc:web', { autoApprove: true })
  const to = addresses.find((address) => address.includes('.')) ?? ''
  const states = async () => (await bed.control.service('svc:web')).hosts.map(({ state }) => state)
  const services = { Services: { 'svc:web': { TCP: { 5432: { TCPForward: `${backend}:81` } } } } }
  mount(services)
  await expect.poll(() => visit({ to, port: 5432, data: 'hello\n' })).toMatchObject({ body: 'hello\n' })
  mount({})
  // Neither served nor advertised: advertising follows serving.
  await expect.poll(async () => (await states()).filter((state) => state !== 'gone')).toEqual([])
  mount(services)
  await expect.poll(states).toContain('serving')
  proxy.process.kill('SIGTERM')
  await proxy.process.line(/Tailscale Services withdrawn, so that another host takes over/)
  // It waits some seconds before it ends tailscaled, however long this takes.
  proxy.process.kill('SIGSTOP')
  expect(await served()).toMatchObject(services)
  proxy.process.kill('SIGCONT')
  expect(await proxy.process.exited).toMatchObject({ code: 0 })
  expect(await states()).not.toContain('serving')

  // What is no longer configured is kept by tailscaled.
  await using without = await Proxy.ready(bed, { ...onDisk, TS_USERSPACE: 'true' })
  await without.process.line(/tailscaled serves Tailscale Service svc:web, which was set by hand or by an earlier run/)
})
