import { setTimeout as delay } from 'node:timers/promises'
import { CulvertError } from '../../lib/errors.ts'

/**
 * Asks until `ask` answers with something other than undefined.
 * `timeout` and `interval` in milliseconds. Throws CulvertError `command` naming `what` when the time is over;
 * `ask` may throw to end the wait early.
 */
export async function poll<T>(
  what: string,
  timeout: number,
  ask: () => Promise<T | undefined> | T | undefined,
  interval = 5,
): Promise<T> {
  const deadline = performance.now() + timeout
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new CulvertError('command', `${what} did not happen within ${timeout} ms`)
    await delay(interval)
  }
}
