/** Growing pauses between attempts at one thing. */
export type Backoff = {
  /** The next pause in milliseconds: doubled each time, capped, within ±20 % so that replicas do not act in step. */
  readonly next: () => number
  /** Call after a success: the next pause is the first again. */
  readonly reset: () => void
  /** Attempts since the last reset. */
  readonly attempts: () => number
}

/** `first` and `cap` in milliseconds; `random` gives [0, 1). */
export function backoff(first: number, cap: number, random: () => number = Math.random): Backoff {
  let attempts = 0
  return {
    next: () => {
      // The exponent is bounded as well: 2 ** 1100 is Infinity, and Infinity * 0 is NaN.
      const pause = Math.min(cap, first * 2 ** Math.min(attempts, 30))
      attempts += 1
      return Math.round(pause * (0.8 + 0.4 * random()))
    },
    reset: () => {
      attempts = 0
    },
    attempts: () => attempts,
  }
}
