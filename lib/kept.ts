import type { Clock } from './clock.ts'

/**
 * Keeps answers for `ms` milliseconds, at most about `most` of them; what is asked for meanwhile is not asked again.
 * Failures are not kept.
 */
export function kept<T>(clock: Pick<Clock, 'now'>, ms: number, most: number) {
  const known = new Map<string, { readonly asked: number; readonly answer: Promise<T> }>()
  return {
    get: async (key: string, ask: () => Promise<T>): Promise<T> => {
      const before = known.get(key)
      if (before !== undefined && clock.now() - before.asked < ms) return before.answer
      // Only the latest answers are needed again.
      if (known.size >= most) known.clear()
      const asked = { asked: clock.now(), answer: ask() }
      known.set(key, asked)
      try {
        return await asked.answer
      } catch (error) {
        // The next one asks again.
        if (known.get(key) === asked) known.delete(key)
        throw error
      }
    },
    /** Forgets all answers. */
    forget: (): void => known.clear(),
  }
}
