import * as z from 'zod/mini'

/** A field that may be absent or null, since Go writes either for an empty value. */
export const optional = <T extends z.ZodMiniType>(type: T) => z.optional(z.nullable(type))

/**
 * The value of a JSON text; undefined if it is invalid. The error of `JSON.parse` would quote the text, which may be
 * secret.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a value of JSON is an object, and no list. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
