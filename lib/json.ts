import * as z from 'zod/mini'

/** A field that may be absent or null: Go writes either for nothing. */
export const optional = <T extends z.ZodMiniType>(type: T) => z.optional(z.nullable(type))

/** The value of a JSON text; undefined when it is none. An error of `JSON.parse` would quote the text, maybe a secret. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
