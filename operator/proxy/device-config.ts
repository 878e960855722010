import type { ProxyRequest } from './request.ts'

/** The files of the device config by capability version; the agent takes the highest that its tailscaled knows. */
export const configFiles = ['cap-95.hujson', 'cap-107.hujson'] as const
export const serveFile = 'serve-config'

export type BasicOptions = {
  readonly loginServer: string
  readonly hostname: string
  readonly acceptRoutes: boolean
  /** Undefined once the device has joined. */
  readonly authKey: string | undefined
}

/** What the config of every device has, as tailscaled reads it. */
export const basicConfig = ({ loginServer, hostname, acceptRoutes, authKey }: BasicOptions) => ({
  Version: 'alpha0',
  // Otherwise tailscaled would refuse the agent's changes.
  Locked: false,
  ServerURL: loginServer,
  AuthKey: authKey,
  Hostname: hostname,
  acceptDNS: false,
  acceptRoutes,
})

export type DeviceOptions = BasicOptions & { readonly device: ProxyRequest['device'] }

/** The texts of a device's config, as tailscaled reads them. */
export function deviceConfigs(options: DeviceOptions): Readonly<Record<(typeof configFiles)[number], string>> {
  const { device } = options
  const config = (AppConnector: ProxyRequest['device']['AppConnector']): string =>
    JSON.stringify({
      ...basicConfig(options),
      AdvertiseRoutes: device.AdvertiseRoutes,
      AppConnector,
      NoStatefulFiltering: true,
    })
  return {
    'cap-95.hujson': config(undefined),
    'cap-107.hujson': config(device.AppConnector ?? { Advertise: false }),
  }
}
