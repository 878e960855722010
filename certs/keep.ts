import { sleep } from '../lib/timers.ts'
import type { Step } from './parts.ts'

/** Runs steps until `signal` aborts: after the time that each gives, and as soon as `change` resolves. */
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
      // It is abandoned if the time is over first.
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
