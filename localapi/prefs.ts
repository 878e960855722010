import * as z from 'zod/mini'
import { optional } from '../lib/json.ts'
import type { LocalApi } from './client.ts'
import { decode } from './schema.ts'

/** What the node advertises to the tailnet. */
export type Advertised = {
  readonly routes: readonly string[]
  readonly services: readonly string[]
  readonly isAppConnector: boolean
}

const names = optional(z.array(z.string()))
const appConnector = optional(z.object({ Advertise: optional(z.boolean()) }))
const schema = z.object({ AdvertiseRoutes: names, AdvertiseServices: names, AppConnector: appConnector })

/** @throws CulvertError `localapi` when tailscaled does not answer as documented */
export async function getAdvertised(api: Pick<LocalApi, 'get'>, signal: AbortSignal): Promise<Advertised> {
  const { AdvertiseRoutes, AdvertiseServices, AppConnector } = decode(await api.get('prefs', signal), schema)
  return {
    routes: AdvertiseRoutes ?? [],
    services: AdvertiseServices ?? [],
    isAppConnector: AppConnector?.Advertise === true,
  }
}

const controlSchema = z.object({ ControlURL: optional(z.string()), RouteAll: optional(z.boolean()) })

/**
 * The control server that tailscaled uses, and whether it uses routes of peers.
 * @throws CulvertError `localapi` when tailscaled does not answer as documented
 */
export async function getControl(api: Pick<LocalApi, 'get'>, signal: AbortSignal) {
  const { ControlURL, RouteAll } = decode(await api.get('prefs', signal), controlSchema)
  return { url: ControlURL ?? '', acceptsRoutes: RouteAll ?? false }
}

/**
 * Makes the node advertise these; fields that are absent stay.
 * @throws LocalApiError when tailscaled refuses, as with a locked config file
 */
export async function setAdvertised(
  api: Pick<LocalApi, 'patch'>,
  { routes, services, isAppConnector }: Partial<Advertised>,
  signal: AbortSignal,
): Promise<void> {
  const change = {
    ...(routes && { AdvertiseRoutes: routes, AdvertiseRoutesSet: true }),
    ...(services && { AdvertiseServices: services, AdvertiseServicesSet: true }),
    ...(isAppConnector !== undefined && { AppConnector: { Advertise: isAppConnector }, AppConnectorSet: true }),
  }
  await api.patch('prefs', change, signal)
}
