import type { Clock } from './clock.ts'

/** Tells for how many milliseconds something has been so without a break, by its key; undefined: it is not. */
export function lasting(clock: Pick<Clock, 'now'>): (key: string, is: boolean) => number | undefined {
  const begun = new Map<string, number>()
  return (key, is) => {
    if (!is) {
      begun.delete(key)
      return undefined
    }
    const now = clock.now()
    const since = begun.get(key) ?? now
    begun.set(key, since)
    return now - since
  }
}
