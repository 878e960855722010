import type { Clock } from '../../lib/clock.ts'

const refillMs = 30_000

export type Allowance = {
  /** The milliseconds until it may be done again for `parent`, if it may be done `burst` times in a row; 0: now. */
  readonly wait: (parent: string, burst: number) => number
  /** It has been done for `parent`. */
  readonly count: (parent: string) => void
}

/** Limits how often something is done for a parent: a number of times in a row, and then once in 30 seconds. */
export function allowance(clock: Clock): Allowance {
  /** When what was done so far has been made up for. */
  const paid = new Map<string, number>()
  const from = (parent: string): number => Math.max(clock.now(), paid.get(parent) ?? 0)
  return {
    wait: (parent, burst) => Math.max(0, Math.ceil(from(parent) - clock.now() - (burst - 1) * refillMs)),
    count: (parent) => {
      const now = clock.now()
      for (const [name, at] of paid) if (at <= now) paid.delete(name)
      paid.set(parent, from(parent) + refillMs)
    },
  }
}
