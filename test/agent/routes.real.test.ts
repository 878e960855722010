import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { deviceConfigs } from '../../operator/proxy/device-config.ts'
import { ask, type Bed, startBed, startEcho } from '../lab/bed.ts'
import { writeVolume } from '../lib/kubelet-volume.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { onDisk, Proxy } from './proxy.ts'

const hosts = {
  client: { network: 'wan', tailscaled: { up: ['--accept-routes'] } },
  proxy: { network: 'cluster' },
  backend: { network: 'cluster' },
  other: { network: 'cluster' },
} as const

let bed: Bed<keyof typeof hosts>
beforeAll(async () => {
  bed = await startBed({ hosts })
  await Promise.all([startEcho(bed.host('backend')), bed.control.putSettings({ autoApproveRoutes: true })])
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const routes = '10.98.0.11/32,fd98::11/128'

it.each(['false', 'true'])('a subnet router forwards its routes; userspace networking: %s', async (userspace) => {
  const env = { ...onDisk, TS_USERSPACE: userspace, TS_HOSTNAME: `router-${userspace}` }
  const proxy = await Proxy.ready(bed, { ...env, TS_ROUTES: routes, TS_AUTHKEY: await bed.authKey() })
  for (const to of routes.split(',').map((route) => route.replace(/\/.*/, ''))) {
    for (const protocol of ['tcp', 'udp'] as const) {
      await expect
        .poll(() => ask(bed.host('client'), { to, protocol, patience: 5000 }).catch(String))
        .toMatchObject({ host: 'backend' })
    }
  }
  expect((await proxy.host.exec(['nft', 'list', 'tables'])).stdout).not.toContain('culvert')
  await proxy.process.stop()

  // Set but empty, the routes are withdrawn, although the state has them.
  await using without = await Proxy.ready(bed, { ...env, TS_ROUTES: '' })
  await expect.poll(async () => (await bed.control.node(env.TS_HOSTNAME)).advertisedRoutes).toEqual([])
  await without.host.exec(['rm', '-r', onDisk.TS_STATE_DIR ?? ''])
})

it('routes are withdrawn before the stop, while still served, and another router takes over', async () => {
  const env = { TS_USERSPACE: 'true', TS_ROUTES: '10.98.0.0/24' }
  const proxy = await Proxy.ready(bed, { ...env, TS_HOSTNAME: 'router-a', TS_AUTHKEY: await bed.authKey() })
  await using other = await Proxy.ready(
    bed,
    { ...env, TS_HOSTNAME: 'router-b', TS_AUTHKEY: await bed.authKey() },
    { host: 'other' },
  )
  const reached = () =>
    ask(bed.host('client'), { to: bed.host('backend').address.v4!, protocol: 'tcp', patience: 5000 }).catch(String)
  await expect.poll(reached).toMatchObject({ host: 'backend' })
  proxy.process.kill('SIGTERM')
  await proxy.process.line(/routes withdrawn/)
  // It waits some seconds before it ends tailscaled, however long this takes.
  proxy.process.kill('SIGSTOP')
  await expect.poll(() => bed.control.node('router-a')).toMatchObject({ advertisedRoutes: [], polling: true })
  proxy.process.kill('SIGCONT')
  const { code } = await proxy.process.exited
  expect(code).toBe(0)
  expect(other.process.running).toBe(true)
  expect(await bed.control.node('router-b')).toMatchObject({ primaryRoutes: ['10.98.0.0/24'] })
  await expect.poll(reached).toMatchObject({ host: 'backend' })
})

it('what a Connector offers is gone for others before its node is', async () => {
  const offered = ['0.0.0.0/0', '::/0', '10.98.0.0/24']
  const files = deviceConfigs({
    loginServer: bed.controlUrl,
    hostname: 'connector',
    acceptRoutes: false,
    authKey: await bed.authKey(),
    device: { AdvertiseRoutes: offered, AppConnector: { Advertise: true } },
  })
  const directory = '/etc/tsconfig/connector'
  await writeVolume(bed.host('proxy').path(directory), files)
  const env = { TS_USERSPACE: 'true', TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: directory, TS_EXTRA_ARGS: '' }
  await using proxy = await Proxy.ready(bed, { ...env, TS_HOSTNAME: '' })
  type Peer = { readonly HostName: string; readonly AllowedIPs: readonly string[]; readonly ExitNodeOption: boolean }
  /** What another node knows of it. */
  const seen = async () => {
    const { stdout } = await bed.host('client').exec(['tailscale', 'status', '--json'])
    const { Peer: peers } = JSON.parse(stdout) as { Peer: Record<string, Peer> }
    const peer = Object.values(peers).find(({ HostName }) => HostName === 'connector')
    const [v4, v6] = (await bed.control.node('connector')).addresses
    const own = new Set([`${v4}/32`, `${v6}/128`])
    return { routes: peer?.AllowedIPs.filter((one) => !own.has(one)), isExit: peer?.ExitNodeOption }
  }
  const isAppConnector = async () => (await bed.control.node('connector')).hostinfo['AppConnector'] === true
  await expect.poll(seen).toEqual({ routes: offered, isExit: true })
  await expect.poll(isAppConnector).toBe(true)
  proxy.process.kill('SIGTERM')
  await proxy.process.line(/no app connector any more/)
  proxy.process.kill('SIGSTOP')
  await expect.poll(seen).toEqual({ routes: [], isExit: false })
  await expect.poll(isAppConnector).toBe(false)
  expect(await bed.control.node('connector')).toMatchObject({ polling: true })
  proxy.process.kill('SIGCONT')
  expect((await proxy.process.exited).code).toBe(0)
})
