import type { Entry } from './entry.ts'
import { byTime, type Indexed, indexed, type Page, type Query, search } from './search.ts'

/**
 * All recordings, or the newest requests, in the order in which they began. In memory only: it is read from the store.
 */
export class Index {
  readonly #most: number
  readonly #byKey = new Map<string, Indexed>()
  /** Sorted, but for the last ones if `#isSorted` is false. */
  #all: Indexed[] = []
  #isSorted = true
  #bytes = 0

  /** `most`: how many are kept, a tenth more from time to time. */
  constructor(most = Infinity) {
    this.#most = most
  }

  get size(): number {
    return this.#byKey.size
  }

  /** Of all recordings together. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Entry | undefined {
    return this.#byKey.get(key)?.entry
  }

  keys(): Iterable<string> {
    return this.#byKey.keys()
  }

  /** Adds a recording, or replaces what was known of it. */
  put(entry: Entry): void {
    this.remove(entry.key)
    const added = indexed(entry)
    this.#byKey.set(entry.key, added)
    this.#bytes += entry.bytes
    const last = this.#all.at(-1)
    if (last && byTime(last.entry, entry) > 0) this.#isSorted = false
    this.#all.push(added)
    if (this.size > 1.1 * this.#most)
      for (const { entry: old } of this.#sorted().slice(0, -this.#most)) this.remove(old.key)
    if (this.#all.length > 2 * this.size + 1000) this.#sorted()
  }

  remove(key: string): void {
    const known = this.#byKey.get(key)
    if (known === undefined) return
    this.#byKey.delete(key)
    this.#bytes -= known.entry.bytes
    // The list is swept when it is needed.
    this.#isSorted = false
  }

  /** Finds up to `most` recordings, newest first. */
  search(query: Query, most: number): Page {
    return search(this.#sorted(), query, most)
  }

  #sorted(): readonly Indexed[] {
    if (!this.#isSorted) {
      this.#all = this.#all
        .filter((one) => this.#byKey.get(one.entry.key) === one)
        .toSorted((one, other) => byTime(one.entry, other.entry))
      this.#isSorted = true
    }
    return this.#all
  }
}
