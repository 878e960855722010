/** Counts what peers have of something, of which each gets so much, and all together may get less than many could. */
export class PerPeer {
  readonly #most: number
  readonly #mostOfAll: number
  readonly #counts = new Map<string, number>()
  #all = 0

  constructor(most: number, mostOfAll = Infinity) {
    this.#most = most
    this.#mostOfAll = mostOfAll
  }

  /** Whether the peer gets so many more. */
  take(peer: string, many = 1): boolean {
    const count = (this.#counts.get(peer) ?? 0) + many
    if (count > this.#most || this.#all + many > this.#mostOfAll) return false
    this.#counts.set(peer, count)
    this.#all += many
    return true
  }

  /** Takes back what it has got. */
  give(peer: string, many = 1): void {
    const left = (this.#counts.get(peer) ?? 0) - many
    this.#all -= many
    if (left > 0) this.#counts.set(peer, left)
    else this.#counts.delete(peer)
  }
}
