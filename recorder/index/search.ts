import type { Entry } from './entry.ts'

/** Which recordings are wanted; what is undefined does not matter. */
export type Query = {
  /** Words that are all in who, where, command, or the names of the devices, in any case. */
  readonly text?: string | undefined
  readonly kind?: Entry['kind'] | undefined
  /** The stable ID of the node that was accessed. */
  readonly node?: string | undefined
  /** When it began: from the first up to the second, in milliseconds since 1970. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** The last one of the page before. */
  readonly after?: Pick<Entry, 'began' | 'key'> | undefined
}

export type Page = {
  /** Newest first. */
  readonly entries: readonly Entry[]
  /** How many match, on all pages. */
  readonly matching: number
}

/** An entry with the text in which words are searched. */
export type Indexed = { readonly entry: Entry; readonly text: string }

/** As an index keeps it. */
export const indexed = (entry: Entry): Indexed => ({
  entry,
  text: [entry.who, entry.from, entry.where, entry.node, entry.command].join('\n').toLowerCase(),
})

/** The order of an index: by time, then by key. */
export const byTime = (one: Pick<Entry, 'began' | 'key'>, other: Pick<Entry, 'began' | 'key'>): number =>
  one.began - other.began || (one.key < other.key ? -1 : Number(one.key > other.key))

/** Finds up to `most` recordings among all, which are sorted by time. */
export function search(all: readonly Indexed[], query: Query, most: number): Page {
  const words = (query.text ?? '').toLowerCase().split(/\s+/).filter(Boolean)
  const { kind, node, since = -Infinity, until = Infinity, after } = query
  const entries: Entry[] = []
  let matching = 0
  for (let at = all.length - 1; at >= 0; at -= 1) {
    const { entry, text } = all[at]!
    if (entry.began < since) break
    const isWanted =
      entry.began < until &&
      (kind === undefined || entry.kind === kind) &&
      (node === undefined || entry.node === node) &&
      words.every((word) => text.includes(word))
    if (isWanted) {
      matching += 1
      if (entries.length < most && (after === undefined || byTime(entry, after) < 0)) entries.push(entry)
    }
  }
  return { entries, matching }
}
