import { getAdvertised, setAdvertised } from '../../localapi/prefs.ts'
import type { Context } from '../world/context.ts'
import type { World } from '../world/world.ts'
import { advertised, planAdvertise } from './advertise.ts'
import { events } from './log-events.ts'

/**
 * Withdraws what the node advertises before the stop, so that another node takes over while this one still serves:
 * routes, that it is an exit node or app connector, and Tailscale Services. Only what the next start advertises again
 * (by a variable, the config file or the serve config): the rest exists only in the state, and stays.
 * @throws CulvertError `localapi` when tailscaled refuses, as with a locked config file.
 */
export async function withdraw(
  { store, api, log, timings, clock }: Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock'>,
  deadline: AbortSignal,
): Promise<void> {
  const again = saidAgain(store.world)
  if (again === undefined || store.world.daemon.phase !== 'running') return
  const now = await getAdvertised(api, deadline)
  const [routes, services] = [now.routes.filter(again.isRoute), now.services.filter(again.isService)]
  const routesEnd = routes.length > 0
  const servicesEnd = services.length > 0
  const connectorEnds = now.isAppConnector && again.isAppConnector
  if (!routesEnd && !servicesEnd && !connectorEnds) return
  const change = {
    ...(routesEnd && { routes: now.routes.filter((route) => !again.isRoute(route)) }),
    ...(servicesEnd && { services: now.services.filter((service) => !again.isService(service)) }),
    ...(connectorEnds && { isAppConnector: false }),
  }
  await setAdvertised(api, change, deadline)
  if (routesEnd) log(events.routesWithdrawn())
  if (connectorEnds) log(events.connectorWithdrawn())
  if (servicesEnd) log(events.servicesWithdrawn())
  await clock.sleep(servicesEnd ? timings.withdrawServices : timings.withdraw, deadline)
}

/** What the next start advertises again; undefined if nothing. */
function saidAgain(world: World) {
  const { settings, deviceConfig } = world
  const config = deviceConfig?.file.content.config
  const inFlags = new Set((settings.up.routes ?? '').split(',').filter(Boolean))
  const services = new Set([
    ...(config?.advertiseServices ?? []),
    // Including those that are being advertised right now.
    ...advertised(world),
    ...(planAdvertise(world)?.services ?? []),
  ])
  // A config file that names routes replaces all, also those that an app connector has learnt.
  const replacesRoutes = config?.advertiseRoutes !== undefined
  const isAppConnector = config?.isAppConnector === true
  if (inFlags.size + services.size === 0 && !replacesRoutes && !isAppConnector) return undefined
  return {
    isRoute: (route: string) => replacesRoutes || inFlags.has(route),
    isService: (service: string) => services.has(service),
    isAppConnector,
  }
}
