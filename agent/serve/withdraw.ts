import { getAdvertised, setAdvertised } from '../../localapi/prefs.ts'
import type { Context } from '../world/context.ts'
import { advertised, planAdvertise } from './advertise.ts'

/**
 * Withdraws advertised routes and Tailscale Services before the stop, so that another node takes over while this one
 * still serves. Only those that the next start advertises again (by a variable, the config file or the serve config):
 * others exist only in the state, and stay.
 * @throws CulvertError `localapi` when tailscaled refuses, as with a locked config file.
 */
export async function withdraw(
  { store, api, log, timings, clock }: Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock'>,
  deadline: AbortSignal,
): Promise<void> {
  const { settings, deviceConfig, daemon } = store.world
  const config = deviceConfig?.file.content.config
  const saidAgain = {
    routes: new Set([...(settings.up.routes ?? '').split(',').filter(Boolean), ...(config?.advertiseRoutes ?? [])]),
    // Including those that are being advertised right now.
    services: new Set([
      ...(config?.advertiseServices ?? []),
      ...advertised(store.world),
      ...(planAdvertise(store.world)?.services ?? []),
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
  await clock.sleep(servicesEnd ? timings.withdrawServices : timings.withdraw, deadline)
}
