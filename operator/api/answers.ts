import * as z from 'zod/mini'
import { readHujsonObject } from '../../lib/hujson.ts'
import { optional, parseJson } from '../../lib/json.ts'
import type { AuthKey, AutoApprovers, MintedKey, TailnetDevice, TailscaleService } from './api.ts'

// Only what is used is checked. Parsers throw an Error that repeats nothing of the text: it may hold a key.

const text = z.string().check(z.minLength(1))
const texts = optional(z.array(z.string()))

const tokenSchema = z.object({
  access_token: z.string().check(z.regex(/^[\x21-\x7e]+$/)),
  expires_in: optional(z.number()),
})
const keySchema = z.object({ id: text, key: text, expires: optional(z.string()) })
const knownKeySchema = z.object({ id: text, description: optional(z.string()) })
const deviceSchema = z.object({
  id: optional(z.string()),
  nodeId: optional(z.string()),
  name: optional(z.string()),
  hostname: optional(z.string()),
  addresses: texts,
  tags: texts,
  machineKey: optional(z.string()),
  connectedToControl: optional(z.boolean()),
  advertisedRoutes: texts,
  enabledRoutes: texts,
})
const serviceSchema = z.object({
  name: text,
  addrs: texts,
  comment: optional(z.string()),
  annotations: optional(z.record(z.string(), z.string())),
  ports: texts,
  tags: texts,
})
/** The API's own errors, and those of OAuth. */
const refusalSchema = z.object({
  message: optional(z.string()),
  data: z.optional(z.unknown()),
  error: optional(z.string()),
  error_description: optional(z.string()),
})

/** What is wrong with each part of a request. */
const detailsSchema = z.array(z.object({ errors: texts }))

/** A token for the API. */
export type Granted = {
  readonly token: string
  /** For how long, in seconds; undefined if it is not said. */
  readonly seconds: number | undefined
}

export function parseToken(answer: string): Granted {
  const { access_token: token, expires_in: seconds } = read(tokenSchema, answer)
  return { token, seconds: seconds ?? undefined }
}

export function parseKey(answer: string): MintedKey {
  const { id, key, expires } = read(keySchema, answer)
  const at = Date.parse(expires ?? '')
  return { id, key, expires: Number.isNaN(at) ? undefined : new Date(at) }
}

export function parseKnownKey(answer: string): AuthKey {
  const { id, description } = read(knownKeySchema, answer)
  return { id, description: description ?? '' }
}

export const parseDevice = (answer: string): TailnetDevice => device(read(deviceSchema, answer))

export const parseDevices = (answer: string): TailnetDevice[] =>
  (read(z.object({ devices: optional(z.array(deviceSchema)) }), answer).devices ?? []).map(device)

export const parseService = (answer: string): TailscaleService => service(read(serviceSchema, answer))

export const parseServices = (answer: string): TailscaleService[] =>
  (read(z.object({ vipServices: optional(z.array(serviceSchema)) }), answer).vipServices ?? []).map(service)

/** The answer to a removal says nothing; but a page for people is none of the API, and then nothing was removed. */
export function parseRemoved(answer: string): void {
  if (/^\s*</.test(answer)) throw new Error('it is a web page')
}

const approversSchema = z.object({
  routes: optional(z.record(z.string(), z.array(z.string()))),
  exitNode: texts,
  services: optional(z.record(z.string(), z.array(z.string()))),
})

/** Reads a policy, of which the API gives the text as it was written, with comments. */
export function parseAutoApprovers(answer: string): AutoApprovers {
  const fields = readHujsonObject('the policy', Buffer.from(answer))
  const found = fields.find(({ name }) => name.toLowerCase() === 'autoapprovers')?.value ?? {}
  const { routes, exitNode, services } = checked(approversSchema, found)
  return {
    routes: Object.entries(routes ?? {}).map(([network, by]) => ({ network, by })),
    exitNode: exitNode ?? [],
    services: Object.values(services ?? {}),
  }
}

/** Reads a setting that is on or off; undefined if it is not there. */
export const parseSwitch =
  (name: string) =>
  (answer: string): boolean | undefined =>
    read(z.object({ [name]: optional(z.boolean()) }), answer)[name] ?? undefined

/** What the API says with an error; undefined if it is something else that answers. */
export function parseRefusal(answer: string): string | undefined {
  const {
    message,
    data,
    error,
    error_description: description,
  } = z.safeParse(refusalSchema, parseJson(answer)).data ?? {}
  const said = message ?? description ?? error
  if (said == null) return undefined
  const details = z.safeParse(detailsSchema, data).data ?? []
  return [said, ...details.flatMap(({ errors }) => errors ?? [])].join('; ')
}

// Headscale's `id` is its stable ID; Tailscale's is another number.
const device = ({
  id,
  nodeId,
  name,
  hostname,
  addresses,
  tags,
  machineKey,
  connectedToControl,
  advertisedRoutes,
  enabledRoutes,
}: z.infer<typeof deviceSchema>): TailnetDevice => ({
  id: nodeId ?? id ?? '',
  name: (name ?? '').replace(/\.$/, ''),
  hostname: hostname ?? '',
  addresses: addresses ?? [],
  tags: tags ?? [],
  machineKey: machineKey || undefined,
  isConnected: connectedToControl ?? undefined,
  ...(advertisedRoutes && enabledRoutes && { routes: { advertised: advertisedRoutes, enabled: enabledRoutes } }),
})

const service = ({
  name,
  addrs,
  comment,
  annotations,
  ports,
  tags,
}: z.infer<typeof serviceSchema>): TailscaleService => ({
  name,
  addrs: addrs ?? [],
  comment: comment ?? '',
  annotations: annotations ?? {},
  ports: ports ?? [],
  tags: tags ?? [],
})

const read = <T extends z.ZodMiniType>(schema: T, answer: string): z.output<T> => checked(schema, parseJson(answer))

function checked<T extends z.ZodMiniType>(schema: T, value: unknown): z.output<T> {
  const parsed = z.safeParse(schema, value)
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error))
  return parsed.data
}
