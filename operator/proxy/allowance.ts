import type { Clock } from '../../lib/clock.ts'

const refillMs = 30_000

/**
 * Limits how often something is done for a parent: `burst` times in a row, and then once in 30 seconds. Gives the
 * milliseconds until it may be done again; 0: it may be done now, and that counts.
 */
export function allowances(clock: Clock): (parent: string, burst: number) => number {
  /** When what was done so far has been made up for. */
  const paid = new Map<string, number>()
  return (parent, burst) => {
    const now = clock.now()
    for (const [name, at] of paid) if (at <= now) paid.delete(name)
    const from = paid.get(parent) ?? now
    const wait = Math.ceil(from - now - (burst - 1) * refillMs)
    if (wait > 0) return wait
    paid.set(parent, from + refillMs)
    return 0
  }
}
