import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { followBus } from '../../../agent/tailscaled/bus.ts'
import { tailnetKeeper } from '../../../agent/tailscaled/tailnet.ts'
import { resolveTarget } from '../../../agent/targets/resolve.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { OwnStore } from '../../../agent/world/store.ts'
import { initialWorld } from '../../../agent/world/world.ts'
import { readSettings } from '../../../agent/settings/read.ts'
import { parseAddress } from '../../../lib/address.ts'
import { entriesOf } from '../../../lib/layered-map.ts'
import { type LocalApi, localApi, type TaggedApi } from '../../../localapi/client.ts'
import { getStatus } from '../../../localapi/status.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { patience } from '../../lab/patience.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { aContext } from '../a-context.ts'

const hosts = {
  proxy: { network: 'cluster', tailscaled: true },
  web: { network: 'wan', tailscaled: true },
  router: { network: 'wan', tailscaled: true },
  guest: { network: 'wan', tailscaled: true },
} as const
const promptly = { interval: 20 }

let bed: Bed<keyof typeof hosts>
let api: LocalApi & TaggedApi
let store: OwnStore
let lines: string[]
let stop: AbortController
beforeAll(async () => {
  bed = await startBed({ hosts })
  api = localApi(bed.host('proxy').path('/run/tailscale/tailscaled.sock'))
  const { settings } = readSettings({ TS_USERSPACE: 'false', TS_TAILNET_TARGET_FQDN: 'web.lab.ts.net' })
  const world = { ...initialWorld(settings, [4, 6]), daemon: { phase: 'running', restarts: 0 } as const }
  const made = aContext(world, { timings, api })
  ;({ store, lines, stop } = made)
  void followBus(made.context, tailnetKeeper(store))
})
afterAll(async () => {
  stop.abort()
  await bed.down()
})
beforeEach(() => printLogsOnFailure(bed))

/** The current addresses of a target and its kind, or nothing. */
function found(target: string): unknown {
  const address = parseAddress(target)
  const resolution = resolveTarget(
    address ? { kind: 'address', address } : { kind: 'name', name: target },
    store.world.tailnet,
  )
  if ('problem' in resolution) return 'nowhere'
  return { through: resolution.through, addresses: resolution.addresses.map(({ text }) => text) }
}
const addressesOf = async (node: string) => [...(await bed.control.node(node)).addresses]
const at = (through: string, ...addresses: string[]) => ({ through, addresses })

it('peers are known at once, and followed when they come, move and go', async () => {
  await expect.poll(() => found('WEB.lab.ts.net.'), promptly).toEqual(at('peer', ...(await addressesOf('web'))))
  const [address = ''] = await addressesOf('guest')
  expect(found(address)).toEqual(at('peer', address))
  expect(found('nobody.lab.ts.net')).toBe('nowhere')

  await bed.control.patchNode('guest', { addresses: ['100.77.0.7', 'fd7a:115c:a1e0::77'] })
  await expect.poll(() => found('guest.lab.ts.net'), promptly).toEqual(at('peer', '100.77.0.7', 'fd7a:115c:a1e0::77'))
  expect(found(address)).toBe('nowhere')

  await bed.control.removeNode('guest')
  await expect.poll(() => found('guest.lab.ts.net'), promptly).toBe('nowhere')
  await expect.poll(() => found('100.77.0.7'), promptly).toBe('nowhere')
})

it('a subnet route and a 4via6 site exist while a peer has the route', async () => {
  const routes = ['10.98.0.0/24', 'fd7a:115c:a1e0:b1a:0:7:a01:0/112', '0.0.0.0/0', '::/0']
  await bed.control.patchNode('router', { routes })
  await expect.poll(() => found('10.98.0.7'), promptly).toEqual(at('route', '10.98.0.7'))
  const site = at('4via6', 'fd7a:115c:a1e0:b1a:0:7:a01:5')
  expect([found('10-1-0-5-via-7'), found('10-1-0-5-via-0x7.lab.ts.net')]).toEqual([site, site])
  expect([found('10-2-0-5-via-7'), found('10.98.1.7'), found('fd00::1')]).toEqual(['nowhere', 'nowhere', 'nowhere'])
  await bed.control.patchNode('router', { routes: [] })
  await expect.poll(() => found('10.98.0.7'), promptly).toBe('nowhere')
  expect(found('10-1-0-5-via-7')).toBe('nowhere')
})

it('a Tailscale Service exists while it has records and a host', async () => {
  const records = ['100.99.1.1', 'fd7a:115c:a1e0::9901'].map((value) => ({ name: 'db.lab.ts.net', value }))
  await bed.control.putExtraRecords(records)
  await bed.control.patchNode('router', { routes: ['100.99.1.1/32'] })
  await expect.poll(() => found('db.lab.ts.net'), promptly).toEqual(at('service', '100.99.1.1'))
  expect(found('100.99.1.1')).toEqual(at('service', '100.99.1.1'))
  await bed.control.patchNode('web', { routes: ['100.99.1.1/32', 'fd7a:115c:a1e0::9901/128'] })
  await expect.poll(() => found('db.lab.ts.net'), promptly).toEqual(at('service', '100.99.1.1', 'fd7a:115c:a1e0::9901'))
  await bed.control.putExtraRecords([{ name: 'db.lab.ts.net', value: 'fd7a:115c:a1e0::9901' }])
  await expect.poll(() => found('db.lab.ts.net'), promptly).toEqual(at('service', 'fd7a:115c:a1e0::9901'))
  await bed.control.patchNode('web', { routes: [] })
  await expect.poll(() => found('db.lab.ts.net'), promptly).toBe('nowhere')
  // Until then the router hosts the other address, which may be reported in a separate message.
  await bed.control.patchNode('router', { routes: [] })
  await expect.poll(() => found('100.99.1.1'), promptly).toBe('nowhere')
})

it('the bus and the status give the same peers, and unused fields make no difference', async () => {
  const { peers } = store.world.tailnet
  const status = await getStatus(api, { peers: true }, stop.signal, patience)
  expect(status.peers).toEqual([{ whole: true, changed: new Map(entriesOf(peers!)), removed: [] }])
  expect([...entriesOf(peers!)].every(([, { nodeId }]) => nodeId !== undefined)).toBe(true)
  const published = new Set([peers])
  store.watch(() => published.add(store.world.tailnet.peers), stop.signal)
  await bed.control.patchNode('web', { tags: ['tag:a'] })
  await bed.control.patchNode('proxy', { tags: ['tag:b'] })
  // The first change of a field that is used.
  await bed.control.patchNode('web', { routes: ['10.97.0.0/24'] })
  await expect.poll(() => found('10.97.0.7'), promptly).toEqual(at('route', '10.97.0.7'))
  // Listeners are called in the turn after that of the change. There may be several with the same content: tailscaled
  // merges messages that wait to be read, so a change may be undone and made again within one.
  await expect.poll(() => published.size, promptly).toBeGreaterThan(1)
  published.delete(peers)
  const contents = (one: typeof peers) => new Map(entriesOf(one!))
  for (const one of published) expect(contents(one)).toEqual(contents(store.world.tailnet.peers))
})

it('a peer that was removed while the control server was away is gone afterwards', async () => {
  await bed.control.startOutage({ seconds: 600 })
  await bed.control.removeNode('web')
  await bed.control.endOutage()
  await expect.poll(() => found('web.lab.ts.net')).toBe('nowhere')
  expect(lines).toEqual([])
})
