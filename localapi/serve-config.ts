import * as z from 'zod/mini'
import { optional } from '../lib/json.ts'
import { type ServeConfig, withoutEmpty } from '../wire/serve-config.ts'
import type { TaggedApi } from './client.ts'
import { LocalApiError } from './error.ts'
import { decode } from './schema.ts'

/** The present serve config. */
export type Served = {
  readonly config: ServeConfig & {
    /** The part that `tailscale serve` without `--bg` has set, by session. */
    readonly Foreground?: Readonly<Record<string, ServeConfig>>
  }
  readonly etag: string
}

const path = 'serve-config'
const objects = optional(z.record(z.string(), z.nullable(z.looseObject({}))))
const ports = optional(
  z.record(z.string(), z.looseObject({ HTTPS: z.optional(z.boolean()), TerminateTLS: z.optional(z.string()) })),
)
const service = z.looseObject({ TCP: ports, Web: objects, Tun: z.optional(z.boolean()) })
const schema = z.nullable(
  z.looseObject({
    TCP: ports,
    Web: objects,
    Services: optional(z.record(z.string(), z.nullable(service))),
    Foreground: optional(z.record(z.string(), z.nullable(z.looseObject({ TCP: ports })))),
  }),
)

/** @throws CulvertError `localapi` when tailscaled does not answer as documented */
export async function getServeConfig(api: Pick<TaggedApi, 'getTagged'>, signal: AbortSignal): Promise<Served> {
  const { text, etag } = await api.getTagged(path, signal)
  return { config: withoutEmpty((decode(text, schema) ?? {}) as Served['config']), etag }
}

/**
 * Makes tailscaled serve `config` instead of the one with this ETag.
 * @throws LocalApiError when it refuses; `isConflict` recognises that it serves something else by now
 */
export const setServeConfig = (
  api: Pick<TaggedApi, 'replace'>,
  config: ServeConfig,
  etag: string,
  signal: AbortSignal,
): Promise<void> => api.replace(path, config, etag, signal)

export const isConflict = (error: unknown): boolean => error instanceof LocalApiError && error.refusal?.status === 412
