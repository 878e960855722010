import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject, optional, parseJson } from '../../lib/json.ts'

/** tailscaled's preferences, as far as the operator has a use for them. */
const profile = z.object({
  Config: optional(z.object({ NodeID: optional(z.string()) })),
  AdvertiseServices: optional(z.array(z.string())),
})

const currentKey = '_current-profile'
const decode = (value: unknown): string => Buffer.from(String(value), 'base64').toString('utf8')
const encode = (text: string): string => Buffer.from(text).toString('base64')

/**
 * A Secret without what the operator has no use for, and should not keep in memory: of tailscaled's own state, which is
 * large and holds private keys, only what the node is and advertises; of a certificate's key, only whether it is there.
 */
export function withoutPrivate(secret: KubeObject): KubeObject {
  const { data } = secret
  if (!isJsonObject(data)) return secret
  const kept = Object.entries(data).filter(([name]) => !name.startsWith('_') && !name.startsWith('profile-'))
  const rest = kept.map(
    ([name, value]) => [name, name === 'tls.key' && value !== '' ? encode('present') : value] as const,
  )
  return { ...secret, data: { ...Object.fromEntries(rest), ...essentialState(data) } }
}

function essentialState(data: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const current = data[currentKey]
  if (typeof current !== 'string') return {}
  const name = decode(current)
  const known = z.safeParse(profile, parseJson(decode(data[name]))).data
  return known === undefined ? {} : { [currentKey]: current, [name]: encode(JSON.stringify(known)) }
}

/** The Tailscale Services that a node advertises, by its state. */
export function advertisedServices(data: unknown): readonly string[] {
  if (!isJsonObject(data) || typeof data[currentKey] !== 'string') return []
  const text = decode(data[decode(data[currentKey])])
  return z.safeParse(profile, parseJson(text)).data?.AdvertiseServices ?? []
}
