import * as z from 'zod/mini'
import { parseJson } from '../lib/json.ts'

/** The memory of one name's requests: failures in a row, and the earliest time of the next one, in ms since 1970. */
export type Remembered = { readonly failures: number; readonly notBefore: number; readonly reason?: string }

/** By name. */
export type CertificateMemory = ReadonlyMap<string, Remembered>

const entry = z.object({
  failures: z.int().check(z.gte(0), z.lte(1000)),
  notBefore: z.iso.datetime(),
  reason: z.optional(z.string().check(z.maxLength(100))),
})
const schema = z.object({ version: z.literal(1), domains: z.record(z.string(), entry) })

/** Longer than any pause: a later time was written with a wrong clock. */
const furthest = 8 * 86_400_000

/** Reads the output of `renderCertificateMemory`. Undefined if it is invalid or has a time that is too far off. */
export function parseCertificateMemory(text: string, now: number): CertificateMemory | undefined {
  const parsed = z.safeParse(schema, parseJson(text))
  if (!parsed.success) return undefined
  const entries = Object.entries(parsed.data.domains).map(([domain, { failures, notBefore, reason }]) => {
    return [domain, { failures, notBefore: Date.parse(notBefore), ...(reason !== undefined && { reason }) }] as const
  })
  return new Map(entries.filter(([, { notBefore }]) => notBefore < now + furthest))
}

/** Equal memories have equal texts. */
export function renderCertificateMemory(memory: CertificateMemory): string {
  const domains = [...memory]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([domain, { notBefore, ...rest }]) => [domain, { ...rest, notBefore: new Date(notBefore).toISOString() }])
  return JSON.stringify({ version: 1, domains: Object.fromEntries(domains) })
}
