import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { l7Ingress } from '../../../operator/l7-ingress/kind.ts'
import type { Page } from '../../agent/programs/visit.ts'
import { onDisk, Proxy } from '../../agent/proxy.ts'
import { mountServeConfig, serveFile, visitFrom } from '../../agent/serving.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { ingress, service, settings, worldOf } from '../a-world.ts'

const hosts = {
  client: { network: 'wan', tailscaled: true },
  proxy: { network: 'cluster' },
  backend: { network: 'cluster' },
} as const

let bed: Bed<keyof typeof hosts>
let proxy: Proxy

const sites = { a: 8001, b: 8002, c: 8003 } as const
const backend = (name: string) => ({ service: { name, port: { name: 'web' } } })
/** A path of a rule, as `Prefix /a b`. */
const path = (text: string) => {
  const [pathType = '', at = '', name = ''] = text.split(' ')
  return { pathType, path: at, backend: backend(name) }
}

/** Has the proxy serve what the operator makes of an Ingress. */
function serve(paths: readonly string[], fallback?: string): void {
  const object = ingress('web', {
    rules: [{ http: { paths: paths.map(path) } }],
    ...(fallback !== undefined && { defaultBackend: backend(fallback) }),
  })
  const clusterIP = bed.host('backend').address.v4
  const services = Object.entries(sites).map(([name, port]) =>
    service(name, { clusterIP, ports: [{ name: 'web', port }] }),
  )
  mountServeConfig(
    bed.host('proxy'),
    l7Ingress.plan(object, worldOf(object, ...services), settings).proxies!.serveConfig!,
  )
}

const get = async (requested: string): Promise<string> => {
  const to = (await proxy.own()).v4
  const page = await visitFrom(bed.host('client'), {
    name: 'proxy.lab.ts.net',
    to,
    port: 443,
    tls: true,
    path: requested,
  })
  const { status, body } = page as Page
  return status === 200 ? body : String(status)
}
/** The answers to requests of these paths. */
const answers = async (...paths: readonly string[]) => {
  const all: [string, string][] = []
  for (const requested of paths) all.push([requested, await get(requested)])
  return Object.fromEntries(all)
}

beforeAll(async () => {
  bed = await startBed({ hosts, acme: true })
  const ports = Object.entries(sites).map(([name, port]) => `${name}=${port}`)
  const program = join(import.meta.dirname, 'programs/sites.ts')
  const backends = await bed.host('backend').spawn([process.execPath, program, ...ports], { name: 'sites' })
  await backends.line(/listening/)
})
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(() => printLogsOnFailure(bed))

it('passes requests on to the longest prefix, with their path', async () => {
  serve(['Prefix /a b', 'Prefix /a/x/ c', 'ImplementationSpecific /ä?b#c%d b'], 'a')
  proxy = await Proxy.ready(bed, {
    ...onDisk,
    TS_USERSPACE: 'true',
    TS_SERVE_CONFIG: serveFile,
    TS_AUTHKEY: await bed.authKey(),
    CULVERT_TEST_SHORT_WAITS: 'true',
  })
  await expect.poll(() => get('/a')).toBe('b /a')
  expect(await answers('/', '/ab?q', '/a/', '/a/y/?q', '/a/x', '/a/x/y', '/%C3%A4%3Fb%23c%25d/x')).toEqual({
    '/': 'a /',
    '/ab?q': 'a /ab?q',
    '/a/': 'b /a/',
    '/a/y/?q': 'b /a/y/?q',
    '/a/x': 'c /a/x/',
    '/a/x/y': 'c /a/x/y',
    '/%C3%A4%3Fb%23c%25d/x': 'b /%C3%A4%3Fb%23c%25d/x',
  })
})

it('serves an exact path, and nothing below it or beside it', async () => {
  serve(['Exact /e a', 'Exact /p/e a', 'Prefix /p b', 'Exact /s a', 'Prefix /s/ b', 'Prefix /e/x/y b'], 'c')
  await expect.poll(() => get('/e')).toBe('a /e')
  expect(
    await answers(
      '/e?q',
      '/e/',
      '/e/x',
      '/e/x/y',
      '/e//',
      '//e',
      '/ee',
      '/p/e',
      '/p/e/',
      '/p/e/x',
      '/s',
      '/s/',
      '/s/x',
    ),
  ).toEqual({
    '/e?q': 'a /e?q',
    '/e/': 'c /e/',
    '/e/x': 'c /e/x',
    '/e/x/y': 'b /e/x/y',
    '/e//': expect.not.stringMatching(/^a/),
    '//e': expect.not.stringMatching(/^a/),
    '/ee': 'c /ee',
    '/p/e': 'a /p/e',
    '/p/e/': 'b /p/e/',
    '/p/e/x': 'b /p/e/x',
    '/s': 'a /s',
    '/s/': 'b /s/',
    '/s/x': 'b /s/x',
  })
})

it('answers 502 for a path without backend, and 404 for one that is not served', async () => {
  serve(['Prefix /a gone', 'Prefix /a/b b', 'Exact /e gone'], 'a')
  await expect.poll(() => get('/a')).toBe('502')
  expect(await answers('/', '/a/x', '/a/b', '/e', '/e/')).toEqual({
    '/': 'a /',
    '/a/x': '502',
    '/a/b': 'b /a/b',
    '/e': '502',
    '/e/': 'a /e/',
  })
  serve(['Prefix /b b', 'Exact / a', 'Exact /e/ a'])
  await expect.poll(() => get('/')).toBe('404')
  expect(await answers('/b', '/e/', '/x')).toEqual({ '/b': 'b /b', '/e/': '404', '/x': '404' })
})

it('serves nothing more without a backend', async () => {
  serve(['Prefix / gone'])
  const to = (await proxy.own()).v4
  const visit = () => visitFrom(bed.host('client'), { name: 'proxy.lab.ts.net', to, port: 443, tls: true })
  await expect.poll(visit).toMatch(/^E?CONN/)
})
