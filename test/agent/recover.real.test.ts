import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { onDisk, Proxy } from './proxy.ts'

let bed: Bed<'proxy'>
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } } })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const userspace = { TS_USERSPACE: 'true', TS_SOCKET: '/tmp/tailscaled.sock', CULVERT_TEST_SHORT_WAITS: 'true' }
const down = ['tailscale', '--socket=/tmp/tailscaled.sock', 'down']

it('a stopped node is started again', async () => {
  await using proxy = await Proxy.ready(bed, { ...userspace, TS_HOSTNAME: 'stopped', TS_AUTHKEY: await bed.authKey() })
  await proxy.host.exec(down)
  await proxy.process.line(/tailscaled’s state is Stopped/)
  await proxy.until((status) => status.ready)
  expect((await bed.control.nodes()).filter(({ name }) => name.startsWith('stopped'))).toHaveLength(1)
})

it('a stopped node with a config file is started again', async () => {
  const inside = bed.host('proxy').path('/etc/tsconfig')
  mkdirSync(inside, { recursive: true })
  const config = {
    Version: 'alpha0',
    Locked: false,
    ServerURL: bed.controlUrl,
    Hostname: 'filed',
    AuthKey: await bed.authKey(),
  }
  writeFileSync(`${inside}/cap-95.hujson`, JSON.stringify(config))
  const env = { TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '/etc/tsconfig', TS_EXTRA_ARGS: '', TS_HOSTNAME: '' }
  await using proxy = await Proxy.ready(bed, { ...userspace, ...env })
  await proxy.host.exec(down)
  await proxy.process.line(/tailscaled is stopped; it reloads its config/)
  await proxy.until((status) => status.ready)
})

it('a node whose key has expired logs in again', async () => {
  const TS_AUTHKEY = await bed.authKey({ reusable: true })
  await using proxy = await Proxy.ready(bed, { ...userspace, ...onDisk, TS_HOSTNAME: 'expired', TS_AUTHKEY })
  const { node } = await proxy.status()
  await bed.control.patchNode(String(node.id), { expired: true })
  await proxy.process.line(/tailscaled’s state is NeedsLogin/)
  await proxy.until((status) => status.ready)
})

it('a node that was removed from the tailnet returns as a new one at the next start', async () => {
  const TS_AUTHKEY = await bed.authKey({ reusable: true })
  const env = { ...userspace, TS_STATE_DIR: '/var/lib/removed', TS_HOSTNAME: 'removed', TS_AUTHKEY }
  const first = await Proxy.ready(bed, env)
  const { node } = await first.status()
  await bed.control.removeNode(String(node.id))
  await first.until(({ checks, ready }) => checks['control-server']?.state === 'failing' && ready)
  await first.process.stop()
  await using again = await Proxy.ready(bed, env)
  expect((await again.status()).node.id).not.toBe(node.id)
  expect(await bed.control.node('removed')).toMatchObject({ online: true })
})

it('in JSON, every line is a document, the agent’s and those of tailscaled', async () => {
  const env = { CULVERT_LOG_FORMAT: 'json', TS_HOSTNAME: 'json' }
  await using proxy = await Proxy.start(bed, { ...userspace, ...env, TS_AUTHKEY: await bed.authKey() })
  await proxy.process.line(/"event":"agent.complete"/)
  await proxy.host.exec(down)
  await proxy.process.line(/"level":"warn","source":"agent","event":"login.again","msg":"[^"]+","state":"Stopped"/)
  await proxy.until((status) => status.ready)
  await proxy.process.stop()
  const lines = proxy.process.log.map((line) => JSON.parse(line) as { source: string; msg: string })
  expect(new Set(lines.map(({ source }) => source))).toEqual(new Set(['agent', 'tailscaled']))
  // tailscaled's own times are left out.
  expect(lines.filter(({ msg }) => /^\d{4}\/\d\d\/\d\d /.test(msg))).toEqual([])
})
