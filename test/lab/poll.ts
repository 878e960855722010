import { setTimeout as delay } from 'node:timers/promises'
import { CulvertError } from '../../lib/errors.ts'
import { patience } from './patience.ts'

/**
 * Calls `ask` every `interval` milliseconds until it returns something other than undefined. Throws CulvertError
 * `command` naming `what` when that never happens; `ask` may throw to end the wait early.
 */
export async function poll<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  interval = 5,
): Promise<T> {
  const deadline = performance.now() + patience
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) {
      throw new CulvertError('command', `${what} did not happen within ${patience / 1000} s`)
    }
    await delay(interval)
  }
}
