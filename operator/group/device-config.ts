import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { optional, parseJson } from '../../lib/json.ts'
import { basicConfig, type BasicOptions } from '../proxy/device-config.ts'
import { textIn } from '../proxy/state.ts'

/** The file of a replica's device config; agents of all versions that know groups take it. */
export const configFile = 'cap-106.hujson'

/** What the ProxyClass decides of a device. */
export type FromClass = { readonly acceptRoutes: boolean; readonly staticEndpoints: readonly string[] }

export type DeviceOptions = BasicOptions & {
  readonly staticEndpoints: FromClass['staticEndpoints']
  /** Further fields, as tailscaled reads them. */
  readonly more: Readonly<Record<string, unknown>>
}

/** The text of a replica's device config, as tailscaled reads it. */
export function deviceConfig(options: DeviceOptions): string {
  const { staticEndpoints, more } = options
  return JSON.stringify({
    ...basicConfig(options),
    ...(staticEndpoints.length > 0 && { StaticEndpoints: staticEndpoints }),
    ...more,
  })
}

const schema = z.object({
  acceptRoutes: optional(z.boolean()),
  StaticEndpoints: optional(z.array(z.string())),
})

/** What a replica's config has from its ProxyClass now; undefined if it has no config. */
export function fromClassIn(config: KubeObject | undefined): FromClass | undefined {
  const text = textIn(config, configFile)
  if (text === undefined) return undefined
  const { acceptRoutes, StaticEndpoints } = z.safeParse(schema, parseJson(text)).data ?? {}
  return { acceptRoutes: acceptRoutes === true, staticEndpoints: StaticEndpoints ?? [] }
}
