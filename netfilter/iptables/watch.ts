import { type Clock, systemClock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'

/**
 * The pause between two looks, in ms: nothing announces that another program has changed rules of iptables, and they are
 * to be put right within two seconds.
 */
const pauseMs = 1500
/** Where looking takes long, a tenth of the time is spent on it at most. */
const restPerLook = 9

/**
 * Looks again and again whether another program has changed the rules, until `signal` aborts, and calls `changed` when it
 * has, or when that cannot be seen. Never rejects.
 */
export async function watchRules(
  look: () => Promise<string | undefined>,
  changed: () => void,
  log: Log,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<void> {
  let took = 0
  for (;;) {
    await clock.sleep(Math.max(pauseMs, took * restPerLook), signal)
    if (signal.aborted) return
    const began = clock.now()
    // Why rules cannot be read is said by who is to keep them.
    const found = await look().catch(() => '')
    took = clock.now() - began
    if (found === undefined) continue
    if (found !== '') log(`the rules of iptables were changed by another program: ${found}`)
    changed()
  }
}
