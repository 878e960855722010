import { readEventKey } from '../keys.ts'
import type { Stored } from '../store/store.ts'

/** Of requests that are listed in no order, those that came last. */
export class Newest {
  readonly #most: number
  #kept: { readonly came: number; readonly stored: Stored }[] = []

  constructor(most: number) {
    this.#most = most
  }

  add(stored: Stored): void {
    this.#kept.push({ came: readEventKey(stored.key).came ?? stored.modified.getTime(), stored })
    if (this.#kept.length >= 2 * this.#most) this.#cut()
  }

  /** Newest first. */
  all(): readonly Stored[] {
    this.#cut()
    return this.#kept.map(({ stored }) => stored)
  }

  #cut(): void {
    this.#kept = this.#kept.toSorted((one, other) => other.came - one.came).slice(0, this.#most)
  }
}
