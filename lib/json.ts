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

declare global {
  interface JSON {
    /** A value that is written as this text; TypeScript does not know it yet. */
    rawJSON(text: string): object
  }
}

/** The same with each integer that a number cannot hold as a bigint. */
export function parseExactJson(text: string): unknown {
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context?.source ?? 0)
      : value
  try {
    return JSON.parse(text, exact)
  } catch {
    return undefined
  }
}

/** A number as it can be written to JSON. */
export const exactNumber = (value: number | bigint): unknown =>
  typeof value === 'bigint' ? JSON.rawJSON(String(value)) : value

export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a value of JSON is an object, and no list. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
