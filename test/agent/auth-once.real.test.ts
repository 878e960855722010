import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { onDisk, Proxy } from './proxy.ts'
import { SecretBed } from './secret-bed.ts'

let bed: Bed<'proxy'>
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } }, cluster: { nodes: 0 } })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const once = { TS_USERSPACE: 'true', TS_AUTH_ONCE: 'true' }

it('logs in only when tailscaled asks for it, and applies changed settings to a known node', async () => {
  const env = { ...once, ...onDisk, TS_HOSTNAME: 'before', TS_ROUTES: '10.1.0.0/16' }
  const first = await Proxy.ready(bed, { ...env, TS_AUTHKEY: await bed.authKey() })
  const { node } = await first.status()
  await expect.poll(() => bed.control.node('before')).toMatchObject({ advertisedRoutes: ['10.1.0.0/16'] })
  await first.process.stop()

  // The key and the login server of `up` no longer matter.
  await using again = await Proxy.ready(bed, { ...env, TS_AUTHKEY: 'spent', TS_HOSTNAME: 'after', TS_ROUTES: '' })
  expect((await again.status()).node.id).toBe(node.id)
  expect(again.lines.join('\n')).not.toContain('tailscale up')
  await expect.poll(() => bed.control.node('after')).toMatchObject({ stableId: node.id, advertisedRoutes: [] })
})

it('removes the auth key from the Secret once it has been used', async () => {
  const at = await SecretBed.make(bed, 'once', { texts: { authkey: await bed.authKey() } })
  await using proxy = await Proxy.ready(bed, { ...once, ...at.env(), TS_HOSTNAME: 'once' })
  await expect.poll(() => at.texts()).not.toHaveProperty('authkey')
  await expect.poll(() => at.texts()).toMatchObject({ device_fqdn: 'once.lab.ts.net.' })
  await proxy.until(({ ready }) => ready)
})
