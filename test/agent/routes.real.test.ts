import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { ask, type Bed, startBed, startEcho } from '../lab/bed.ts'
import { tellOnFailure } from '../lab/vitest.ts'
import { onDisk, Proxy } from './proxy.ts'

const hosts = {
  client: { network: 'wan', tailscaled: { up: ['--accept-routes'] } },
  proxy: { network: 'cluster' },
  backend: { network: 'cluster' },
} as const

let bed: Bed<keyof typeof hosts>
beforeAll(async () => {
  bed = await startBed({ hosts })
  await Promise.all([startEcho(bed.host('backend')), bed.control.putSettings({ autoApproveRoutes: true })])
})
afterAll(() => bed.down())
beforeEach(() => tellOnFailure(bed))

const routes = '10.98.0.11/32,fd98::11/128'

it.each(['false', 'true'])(
  'a subnet router carries the routes that it is given; userspace networking: %s',
  async (userspace) => {
    const env = { ...onDisk, TS_USERSPACE: userspace, TS_HOSTNAME: `router-${userspace}` }
    const proxy = await Proxy.ready(bed, { ...env, TS_ROUTES: routes, TS_AUTHKEY: await bed.authKey() })
    for (const to of routes.split(',').map((route) => route.replace(/\/.*/, ''))) {
      for (const protocol of ['tcp', 'udp'] as const) {
        await expect
          .poll(() => ask(bed.host('client'), { to, protocol, patience: 1000 }).catch(String), { timeout: 15_000 })
          .toMatchObject({ host: 'backend' })
      }
    }
    expect((await proxy.host.exec(['nft', 'list', 'tables'])).stdout).not.toContain('culvert')
    await proxy.process.stop()

    // Set but empty, they are withdrawn, although the state remembers them.
    await using without = await Proxy.ready(bed, { ...env, TS_ROUTES: '' })
    await expect.poll(async () => (await bed.control.node(env.TS_HOSTNAME)).advertisedRoutes).toEqual([])
    await without.host.exec(['rm', '-r', onDisk.TS_STATE_DIR ?? ''])
  },
)
