import * as z from 'zod/mini'

const schema = z.object({ AuthURL: z.optional(z.nullable(z.string())) })

/**
 * The URL at which a person must log in, from the answer of `status` (localapi-apiproxy-recorder.md §A.5).
 * @throws Error when the answer has another shape.
 */
export function parseAuthUrl(body: string): string | undefined {
  return z.parse(schema, JSON.parse(body)).AuthURL || undefined
}
