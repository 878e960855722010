/** How much is kept. */
export type Limits = {
  /** Milliseconds since something was last written to. */
  readonly keepMs: number
  /** Bytes, of all recordings and events together. */
  readonly maxBytes: number
}

const hourMs = 3_600_000

/** How many bytes were last written to in which hour. */
export class Ages {
  readonly #hours = new Map<number, number>()
  bytes = 0

  add(modified: number, bytes: number): void {
    const hour = Math.floor(modified / hourMs)
    this.#hours.set(hour, (this.#hours.get(hour) ?? 0) + bytes)
    this.bytes += bytes
  }

  /**
   * What was last written to before this moment, in milliseconds since 1970, is to be removed at the time `now`: what is
   * too old, and the oldest hours of what is too much.
   */
  cutoff({ keepMs, maxBytes }: Limits, now: number): number {
    let cutoff = now - keepMs
    let left = this.bytes
    for (const [hour, bytes] of [...this.#hours].toSorted(([one], [other]) => one - other)) {
      if (left <= maxBytes) break
      left -= bytes
      cutoff = Math.max(cutoff, (hour + 1) * hourMs)
    }
    return cutoff
  }
}
