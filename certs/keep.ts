import { sleep } from '../lib/timers.ts'
import type { Step } from './parts.ts'

/** Takes steps until `signal` aborts: after the time that each gives, and as soon as what `change` waits for happens. */
export async function keepTaking(
  step: Step,
  change: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    try {
      const changed = change(either)
      // It is abandoned when the time is over first.
      changed.catch(() => {})
      const pause = await step(signal)
      await Promise.race([sleep(pause, either), changed])
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      over.abort()
    }
  }
}

/** Gives what does pieces of work in the order in which they are asked for, so many at a time. */
export function atMost(many: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = many
  const waiting: (() => void)[] = []
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}
