import * as z from 'zod/mini'
import { CulvertError } from '../lib/errors.ts'
import type { Keep } from './sieve.ts'

/** The parts of a document that a schema uses. */
export function keepOf(schema: z.core.$ZodType): Keep {
  const { def } = schema as unknown as { readonly def: z.core.$ZodTypes['_zod']['def'] }
  if (def.type === 'object') return new Map(Object.entries(def.shape).map(([name, type]) => [name, keepOf(type)]))
  if (def.type === 'optional' || def.type === 'nullable') return keepOf(def.innerType)
  return def.type === 'array' ? keepOf(def.element) : true
}

/**
 * Reads JSON from tailscaled.
 * @throws CulvertError `localapi` when it is not JSON, or a field of the schema has another shape.
 */
export function decode<T extends z.ZodMiniType>(text: string, schema: T): z.infer<T> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw unexpected(error)
  }
  const parsed = z.safeParse(schema, value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw unexpected(shorten(`${issue?.path.join('.')}: ${issue?.message}`))
}

export const unexpected = (cause: unknown): CulvertError =>
  new CulvertError('localapi', 'tailscaled said what cannot be read', { cause })

/** So that no text fills the log. */
export const shorten = (text: string): string => text.slice(0, 1000)
