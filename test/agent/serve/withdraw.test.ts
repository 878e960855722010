import { expect, it } from 'vitest'
import { withdraw } from '../../../agent/serve/withdraw.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { World } from '../../../agent/world/world.ts'
import { parseDeviceConfig } from '../../../wire/device-config.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

/** Withdraws from a tailscaled that advertises this; returns what it advertises then, and how long that took. */
async function withdrawn(
  advertises: { readonly routes?: string[]; readonly services?: string[]; readonly isAppConnector?: boolean },
  env: Record<string, string>,
  change: Partial<World> = {},
) {
  const clock = new VirtualClock()
  const changes: object[] = []
  const api = {
    get: async () =>
      JSON.stringify({
        AdvertiseRoutes: advertises.routes ?? [],
        AdvertiseServices: advertises.services ?? [],
        AppConnector: { Advertise: advertises.isAppConnector ?? false },
      }),
    patch: async (_path: string, what: object) => (changes.push(what), '{}'),
  }
  const { context, lines } = aContext(aWorld(change, { TS_USERSPACE: 'true', ...env }), { clock, timings, api })
  let ended: number | undefined
  void withdraw(context, new AbortController().signal).then(() => (ended = clock.now()))
  await clock.advance(60_000)
  return { changes, lines, ended }
}

it('withdraws routes that the next start advertises again, and waits for the tailnet to notice', async () => {
  const { changes, lines, ended } = await withdrawn(
    { routes: ['10.0.0.0/8', '192.0.2.0/24'] },
    { TS_ROUTES: '10.0.0.0/8' },
  )
  expect(changes).toEqual([{ AdvertiseRoutes: ['192.0.2.0/24'], AdvertiseRoutesSet: true }])
  expect([lines, ended]).toEqual([[expect.stringMatching(/^routes withdrawn/)], timings.withdraw])
})

/** A world in which tailscaled has this config file. */
function withFile(fields: object): Partial<World> {
  const [path, bytes] = ['cap-107.hujson', Buffer.from(JSON.stringify({ Version: 'alpha0', ...fields }))]
  return { deviceConfig: { file: { content: { path, cap: 107, bytes, config: parseDeviceConfig(path, bytes) } } } }
}

it('withdraws all routes if the config file has some, since it replaces all at the next start', async () => {
  const advertises = { routes: ['0.0.0.0/0', '::/0', '192.0.2.7/32'] }
  const { changes, ended } = await withdrawn(advertises, {}, withFile({ AdvertiseRoutes: ['0.0.0.0/0', '::/0'] }))
  expect([changes, ended]).toEqual([[{ AdvertiseRoutes: [], AdvertiseRoutesSet: true }], timings.withdraw])
})

it('an app connector ceases to be one, and to lead to what it has learnt', async () => {
  const advertises = { routes: ['192.0.2.7/32'], isAppConnector: true }
  const file = { AdvertiseRoutes: [], AppConnector: { Advertise: true } }
  expect((await withdrawn(advertises, {}, withFile(file))).changes).toEqual([
    {
      AdvertiseRoutes: [],
      AdvertiseRoutesSet: true,
      AppConnector: { Advertise: false },
      AppConnectorSet: true,
    },
  ])
  expect((await withdrawn(advertises, {}, withFile({}))).changes).toEqual([])
})

it.each<[string, Parameters<typeof withdrawn>]>([
  ['routes that are only in the state', [{ routes: ['192.0.2.0/24'] }, {}]],
  ['routes that are not advertised', [{ routes: ['192.0.2.0/24'] }, { TS_ROUTES: '10.0.0.0/8' }]],
  [
    'anything from a tailscaled that does not run',
    [{ routes: ['10.0.0.0/8'] }, { TS_ROUTES: '10.0.0.0/8' }, { daemon: { phase: 'down', restarts: 0 } }],
  ],
])('does not withdraw %s, and takes no time', async (_what, given) => {
  expect(await withdrawn(...given)).toEqual({ changes: [], lines: [], ended: 0 })
})
