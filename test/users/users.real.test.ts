import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Proxy } from '../agent/proxy.ts'
import type { Page, Visit } from '../agent/programs/visit.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { projectRoot } from '../lab/paths.ts'
import { tellOnFailure } from '../lab/vitest.ts'
import { tailscaleNotices } from './mistakes.ts'
import { readContainer } from './readers/read.ts'

// What real tailscaled and tailscale make of some of the files.
let bed: Bed<'client' | 'proxy'>
beforeAll(async () => {
  bed = await startBed({ hosts: { client: { network: 'wan', tailscaled: true }, proxy: { network: 'cluster' } } })
})
afterAll(() => bed.down())
beforeEach(() => tellOnFailure(bed))

/** Starts the agent as the file's container, in the bed's tailnet. */
async function start(path: string): Promise<Proxy> {
  const { env, files } = await readContainer(path, 'tailscale')
  for (const [inside, text] of Object.entries(files)) {
    if (text === undefined) continue
    mkdirSync(bed.host('proxy').path(dirname(inside)), { recursive: true })
    writeFileSync(bed.host('proxy').path(inside), text)
  }
  const args = (env['TS_EXTRA_ARGS'] ?? '').replace(/--login-server=\S+/, '')
  return Proxy.start(bed, {
    TS_USERSPACE: 'true',
    TS_HOSTNAME: '',
    ...env,
    TS_AUTHKEY: await bed.authKey(),
    TS_EXTRA_ARGS: `${args} --login-server=${bed.controlUrl}`,
  })
}

/** What tailscaled says, without being told where its socket is. */
async function asked<T>(proxy: Proxy, ...args: readonly string[]): Promise<T> {
  return JSON.parse((await proxy.host.exec(['tailscale', ...args])).stdout) as T
}

const ready = async (path: string): Promise<Proxy> => {
  const proxy = await start(path)
  await proxy.process.line(/Startup complete/)
  return proxy
}

it('a subnet router and exit node as a quadlet', async () => {
  await using proxy = await ready('router/router.container')
  const { AdvertiseRoutes, ...prefs } = await asked<{ AdvertiseRoutes: string[] }>(proxy, 'debug', 'prefs')
  expect(AdvertiseRoutes.toSorted()).toEqual(['0.0.0.0/0', '192.168.7.0/24', '::/0', 'fd00:7::/64'])
  expect(prefs).toMatchObject({ Hostname: 'office', NoSNAT: true, CorpDNS: false, RouteAll: false })
  const { stdout } = await proxy.host.exec(['sysctl', '-n', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'])
  expect(stdout.split(/\s+/).slice(0, 2)).toEqual(['1', '1'])
})

it('a node of docker run, whose socket others use', async () => {
  await using proxy = await ready('docker-run/run.sh')
  expect(await asked(proxy, 'debug', 'prefs')).toMatchObject({ Hostname: 'hub', RouteAll: true })
  expect(await asked(proxy, 'status', '--json')).toMatchObject({ BackendState: 'Running', TUN: true })
})

it('a derived image, and its site', async () => {
  await using proxy = await ready('derived-image/Dockerfile')
  const { node } = await proxy.status()
  const visit: Visit = { name: String(node.name).replace(/\.$/, ''), port: 80, to: (await proxy.own()).v4 }
  const program = join(projectRoot, 'test/agent/programs/visit.ts')
  const page = async (): Promise<Page> => {
    const { stdout } = await bed.host('client').exec([process.execPath, program, JSON.stringify(visit)])
    return JSON.parse(stdout) as Page
  }
  await expect.poll(() => page().catch(String)).toMatchObject({ body: 'It runs.' })
})

it.each(Object.entries(tailscaleNotices))('%s ends with its reason', async (path, reason) => {
  const proxy = await start(path)
  expect(await proxy.ended()).toMatchObject({ code: 1, reason })
})
