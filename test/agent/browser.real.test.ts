import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Host } from '../lab/bed.ts'
import { trust } from '../lab/trust.ts'
import { testBed } from '../lab/vitest.ts'
import { writeVolume } from '../lib/kubelet-volume.ts'
import type { Browsed } from './programs/browse.ts'
import type { Seen } from './programs/site.ts'
import { onDisk, Proxy } from './proxy.ts'

const hosts = {
  client: { network: 'wan', tailscaled: true },
  proxy: { network: 'cluster' },
  backend: { network: 'cluster' },
} as const
const name = 'proxy.lab.ts.net'
const program = (of: string): string => join(import.meta.dirname, 'programs', of)

/** What a browser shows of the site; the database in its `HOME` has the additional authorities that it trusts. */
async function browse(host: Host, HOME: string): Promise<Browsed> {
  const { stdout } = await host.exec([process.execPath, program('browse.ts'), `https://${name}/`], { env: { HOME } })
  return JSON.parse(stdout) as Browsed
}

test('a browser that trusts the authority shows a page, and its WebSocket works', async () => {
  await using bed = await testBed({ hosts, acme: true })
  const [client, backend] = [bed.host('client'), bed.host('backend')]
  const site = await backend.spawn([process.execPath, program('site.ts'), '80'], { name: 'site' })
  await site.line(/listening/)
  const Handlers = { '/': { Proxy: `http://${backend.address.v4}` } }
  const config = { TCP: { 443: { HTTPS: true } }, Web: { '${TS_CERT_DOMAIN}:443': { Handlers } } }
  await writeVolume(bed.host('proxy').path('/etc/serve'), { 'serve-config.json': JSON.stringify(config) })
  await using _ = await Proxy.ready(bed, {
    ...onDisk,
    TS_USERSPACE: 'true',
    TS_SERVE_CONFIG: '/etc/serve/serve-config.json',
    TS_AUTHKEY: await bed.authKey(),
  })
  await expect.poll(() => browse(client, '/tmp/wary')).toEqual({ refused: 'net::ERR_CERT_AUTHORITY_INVALID' })

  await trust(bed, client, '/tmp/trusting')
  const headers = {
    host: name,
    'x-forwarded-host': name,
    'x-forwarded-proto': 'https',
    'x-forwarded-for': (await client.exec(['tailscale', 'ip', '-4'])).stdout,
    'tailscale-user-login': expect.stringContaining('@') as string,
  }
  const seen = {
    title: 'A page of the backend',
    secure: true,
    protocol: 'h2',
    request: { url: '/request', headers },
    upgrade: { url: '/socket?from=page', headers: { ...headers, upgrade: 'websocket', origin: `https://${name}` } },
    echoes: ['hello', 'wörld ☃', 'all 1048576', 'bytes 0,255,1', 'the last'],
    closed: { code: 1000, reason: 'done', wasClean: true },
  } satisfies Seen
  expect(await browse(client, '/tmp/trusting')).toMatchObject({ output: seen })
})
