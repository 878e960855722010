import type { Entry } from './entry.ts'

/** Which recordings or requests are wanted; what is undefined does not matter. */
export type Query = {
  /** Words that are all in its person or device, in what was accessed or where, or in the command; in any case. */
  readonly who?: string | undefined
  readonly where?: string | undefined
  readonly command?: string | undefined
  readonly kind?: Entry['kind'] | undefined
  /** When it began: from the first up to the second, in milliseconds since 1970. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** The last one of the page before. */
  readonly after?: Place | undefined
  /** Whether one may be found at all. */
  readonly may?: ((entry: Entry) => boolean) | undefined
  /** What else the node with this stable ID is called. */
  readonly nameOf?: ((node: string) => string) | undefined
}

/** Where something is in the order of an index. */
export type Place = Pick<Entry, 'began' | 'key'>

export type Page = {
  /** Newest first. */
  readonly entries: readonly Entry[]
  /** How many match, on all pages. */
  readonly matching: number
  /** Whether there are more after these. */
  readonly hasMore: boolean
}

/** An entry with the texts in which words are searched. */
export type Indexed = {
  readonly entry: Entry
  readonly who: string
  readonly where: string
  readonly command: string
}

/** As an index keeps it. */
export const indexed = (entry: Entry): Indexed => ({
  entry,
  who: `${entry.who}\n${entry.from}`.toLowerCase(),
  where: `${entry.where}\n${entry.node}`.toLowerCase(),
  command: entry.command.toLowerCase(),
})

/** The order of an index: by time, then by key. */
export const byTime = (one: Place, other: Place): number =>
  one.began - other.began || (one.key < other.key ? -1 : Number(one.key > other.key))

/** Finds up to `most` recordings among all, which are sorted by time. */
export function search(all: readonly Indexed[], query: Query, most: number): Page {
  const { kind, since = -Infinity, until = Infinity, after, may = () => true } = query
  const hasWords = wordsIn(query)
  const entries: Entry[] = []
  let matching = 0
  let hasMore = false
  for (let at = all.length - 1; at >= 0; at -= 1) {
    const one = all[at]!
    const { entry } = one
    if (entry.began < since) break
    // First whether it may be found: nobody learns of others by how long words take.
    const isWanted = entry.began < until && (kind === undefined || entry.kind === kind) && may(entry) && hasWords(one)
    if (!isWanted) continue
    matching += 1
    if (after !== undefined && byTime(entry, after) >= 0) continue
    if (entries.length < most) entries.push(entry)
    else hasMore = true
  }
  return { entries, matching, hasMore }
}

/** The words of a text that are looked for, each once. */
export const wordsOf = (text = ''): string[] => [...new Set(text.toLowerCase().split(/\s+/).filter(Boolean))]

/** Whether something has the words of a query. */
function wordsIn({ nameOf = () => '', ...query }: Query): (one: Indexed) => boolean {
  const [who, where, command] = [wordsOf(query.who), wordsOf(query.where), wordsOf(query.command)]
  const names = new Map<string, string>()
  const nameIn = (node: string): string => {
    const known = names.get(node) ?? nameOf(node).toLowerCase()
    names.set(node, known)
    return known
  }
  return (one) =>
    who.every((word) => one.who.includes(word)) &&
    command.every((word) => one.command.includes(word)) &&
    where.every((word) => one.where.includes(word) || nameIn(one.entry.node).includes(word))
}
