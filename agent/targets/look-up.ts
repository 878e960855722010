import { families, type Family } from '../../lib/address.ts'
import type { AskDns, DnsAnswer } from '../../lib/resolver.ts'
import { some } from '../../lib/some.ts'

/** The first full name that has addresses, and what was said of each family; at least one has some. */
export type Found = { readonly as: string; readonly answers: Readonly<Record<Family, DnsAnswer>> }

/** What came of it: `failed` says why no name has addresses. */
export type Lookup = Found | { readonly failed: string }

type Question = {
  readonly names: readonly string[]
  readonly servers: readonly string[]
  /** The name that had addresses the last time. */
  readonly last: string | undefined
}

/**
 * Tries full names one after the other. One that cannot be asked about is passed over, as resolvers do: some networks
 * have a search domain that nobody answers for. But not the one that had addresses: another name would take its place.
 */
export async function lookUp({ names, servers, last }: Question, ask: AskDns, signal: AbortSignal): Promise<Lookup> {
  const reasons: string[] = []
  for (const name of names) {
    const [four, six] = await Promise.all(families.map((family) => ask({ servers, name, family }, signal)))
    const answers = { 4: four!, 6: six! }
    const all = Object.values(answers)
    if (all.some(({ kind }) => kind === 'addresses')) return { as: name, answers }
    const reason = reasonOf(all)
    reasons.push(`${name} ${reason.text}`)
    if (name === last && !reason.known) break
  }
  return { failed: some(reasons) }
}

/** Why none of these answers has addresses, and whether that is for sure. */
function reasonOf(answers: readonly DnsAnswer[]): { readonly text: string; readonly known: boolean } {
  // Whether a name exists is the same for all kinds of its records.
  if (answers.some((answer) => answer.kind === 'none' && !answer.exists)) {
    return { text: 'does not exist (NXDOMAIN)', known: true }
  }
  const failed = answers.flatMap((answer) => (answer.kind === 'failed' ? [answer.reason] : []))
  if (failed.length === 0) return { text: 'has no address', known: true }
  return { text: `cannot be resolved: ${[...new Set(failed)].join('; ')}`, known: false }
}
