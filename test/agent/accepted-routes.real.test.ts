import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho } from '../lab/traffic/traffic.ts'
import { onDisk, Proxy } from './proxy.ts'

// A peer advertises a route to the cluster's network, and the node accepts routes: traffic to the cluster must still
// not go into the tailnet.
let bed: Bed<'db' | 'router' | 'proxy' | 'app'>
beforeAll(async () => {
  bed = await startBed({
    hosts: {
      db: { network: 'wan', tailscaled: true },
      router: { network: 'wan', tailscaled: true },
      proxy: { network: 'cluster' },
      app: { network: 'cluster' },
    },
  })
  await bed.control.patchNode('router', { routes: ['10.98.0.0/24', 'fd98::/64'] })
  await startEcho(bed.host('db'))
  await startEcho(bed.host('app'))
})
afterAll(async () => bed.down())

const accepting = async () => ({
  TS_AUTHKEY: await bed.authKey(),
  TS_EXTRA_ARGS: `--login-server=${bed.controlUrl} --accept-routes`,
})
/** Waits until tailscaled has installed the routes; before that the test would show nothing. */
const routed = (proxy: Proxy) =>
  expect
    .poll(async () => (await proxy.host.exec(['ip', 'route', 'show', 'table', '52'])).stdout)
    .toContain('10.98.0.0/24')
const families = ['v4', 'v6'] as const
const protocols = ['tcp', 'udp'] as const

it('replies of L3 egress reach the cluster', async () => {
  await using proxy = await Proxy.ready(bed, { ...(await accepting()), TS_TAILNET_TARGET_FQDN: 'db.lab.ts.net' })
  await proxy.until(({ ready }) => ready)
  await routed(proxy)
  for (const family of families) {
    for (const protocol of protocols) {
      const to = String(proxy.host.address[family])
      expect(await ask(bed.host('app'), { to, protocol })).toMatchObject({ host: 'db' })
    }
  }
})

it('L3 ingress reaches a backend in the cluster', async () => {
  const { v4, v6 } = bed.host('app').address
  await using proxy = await Proxy.ready(bed, { ...(await accepting()), TS_DEST_IP: `${v4},${v6}` })
  await routed(proxy)
  const own = await proxy.own()
  for (const family of families) {
    for (const protocol of protocols) {
      expect(await ask(bed.host('db'), { to: own[family], protocol })).toMatchObject({ host: 'app' })
    }
  }
})

it('L3 egress carries clients in the tailnet’s range, and with tailscaled’s stateful filter', async () => {
  const [app, clientAddress] = [bed.host('app'), '100.80.1.1']
  const env = await accepting()
  const TS_EXTRA_ARGS = `${env.TS_EXTRA_ARGS} --stateful-filtering`
  await using proxy = await Proxy.ready(bed, {
    ...env,
    ...onDisk,
    TS_EXTRA_ARGS,
    TS_TAILNET_TARGET_FQDN: 'db.lab.ts.net',
  })
  await proxy.until(({ ready }) => ready)
  const { v4, v6 } = proxy.host.address
  const asked = async (to: string) =>
    Promise.all(protocols.map(async (protocol) => (await ask(app, { to, protocol })).host))
  expect([...(await asked(String(v4))), ...(await asked(String(v6)))]).toEqual(['db', 'db', 'db', 'db'])
  // As with Pods in 100.64.0.0/10, which some clouds give them.
  await app.exec(['ip', 'address', 'add', clientAddress, 'dev', 'eth0'])
  await app.exec(['ip', 'route', 'replace', String(v4), 'dev', 'eth0', 'src', clientAddress])
  await proxy.host.exec(['ip', 'route', 'add', clientAddress, 'via', String(app.address.v4)])
  expect(await asked(String(v4))).toEqual(['db', 'db'])
  // tailscaled puts its rules before ours when it starts anew.
  await proxy.host.exec(['kill', '-KILL', String((await proxy.status()).tailscaled.pid)])
  await proxy.until((status) => status.ready && status.tailscaled.restarts === 1)
  expect(await asked(String(v4))).toEqual(['db', 'db'])
})
