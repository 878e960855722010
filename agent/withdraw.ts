import * as z from 'zod/mini'
import type { Log } from '../lib/log.ts'
import { sleep } from '../lib/timers.ts'
import type { LocalApi } from '../localapi/client.ts'
import type { Waits } from './waits.ts'
import type { Store } from './world.ts'

type Parts = { readonly store: Store; readonly api: LocalApi; readonly log: Log; readonly waits: Waits }

const prefsSchema = z.object({ AdvertiseRoutes: z.optional(z.nullable(z.array(z.string()))) })

/**
 * Withdraws advertised routes before the stop, so that another router takes over while this one still forwards. Only
 * where the next start says them again, by a variable or the config file; others are the state's alone and stay.
 * @throws CulvertError `localapi` when tailscaled refuses, as with a config file that is locked.
 */
export async function withdrawRoutes({ store, api, log, waits }: Parts, deadline: AbortSignal): Promise<void> {
  const { settings, deviceConfig, daemon } = store.world
  const saidAgain = [
    ...(settings.up.routes ?? '').split(',').filter(Boolean),
    ...(deviceConfig?.current.config.advertiseRoutes ?? []),
  ]
  if (saidAgain.length === 0 || daemon.phase !== 'running') return
  const { AdvertiseRoutes: advertised } = prefsSchema.parse(JSON.parse(await api.get('prefs', deadline)))
  const rest = (advertised ?? []).filter((route) => !saidAgain.includes(route))
  if (rest.length === (advertised ?? []).length) return
  await api.patch('prefs', { AdvertiseRoutes: rest, AdvertiseRoutesSet: true }, deadline)
  log('routes withdrawn, so that another router takes over')
  await sleep(waits.withdraw, deadline)
}
