/** Decides at each moment whether this process may change anything outside. */
export type Gate = {
  /** Throws CulvertError with the reason if it may not. */
  readonly check: () => void
  /** Aborts when it may not any more: what has been sent is given up. */
  readonly signal: AbortSignal
  /** Milliseconds after which a request that changes something is given up. */
  readonly limitMs: number
}
