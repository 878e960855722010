import type { Log } from '../../lib/log.ts'
import { sleep } from '../../lib/timers.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { getAdvertised, setAdvertised } from '../../localapi/prefs.ts'
import { advertised, planAdvertise } from './advertise.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'

type Parts = { readonly store: Store; readonly api: LocalApi; readonly log: Log; readonly waits: Waits }

/**
 * Withdraws advertised routes and Tailscale Services before the stop, so that another node takes over while this one
 * still serves. Only where the next start says them again, by a variable, the config file or what is served; others are
 * the state's alone and stay.
 * @throws CulvertError `localapi` when tailscaled refuses, as with a config file that is locked.
 */
export async function withdraw({ store, api, log, waits }: Parts, deadline: AbortSignal): Promise<void> {
  const { settings, deviceConfig, daemon } = store.world
  const config = deviceConfig?.current.config
  const saidAgain = {
    routes: new Set([...(settings.up.routes ?? '').split(',').filter(Boolean), ...(config?.advertiseRoutes ?? [])]),
    // Those that are being advertised just now may be so already.
    services: new Set([
      ...(config?.advertiseServices ?? []),
      ...advertised(store.world),
      ...(planAdvertise(store.world) ?? []),
    ]),
  }
  if (saidAgain.routes.size + saidAgain.services.size === 0 || daemon.phase !== 'running') return
  const now = await getAdvertised(api, deadline)
  const [routes, services] = [new Set(now.routes), new Set(now.services)]
  const routesEnd = !routes.isDisjointFrom(saidAgain.routes)
  const servicesEnd = !services.isDisjointFrom(saidAgain.services)
  if (!routesEnd && !servicesEnd) return
  const change = {
    ...(routesEnd && { routes: [...routes.difference(saidAgain.routes)] }),
    ...(servicesEnd && { services: [...services.difference(saidAgain.services)] }),
  }
  await setAdvertised(api, change, deadline)
  if (routesEnd) log('routes withdrawn, so that another router takes over')
  if (servicesEnd) log('Tailscale Services withdrawn, so that another host takes over')
  await sleep(servicesEnd ? waits.withdrawServices : waits.withdraw, deadline)
}
