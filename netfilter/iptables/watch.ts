import { type Clock, systemClock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { events } from '../log-events.ts'

/**
 * The pause between two checks, in ms: iptables has no notifications of changes, and rules must
 * be repaired within two seconds.
 */
const pauseMs = 1500
/** If a check takes long, at most a tenth of the time is spent on checks. */
const restPerLook = 9

/**
 * Checks regularly whether another program has changed the rules, until `signal` aborts. Calls `changed` if it
 * has, or if the check fails. Never rejects.
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
    // The reconciler, which `changed` wakes, reports why the rules cannot be read.
    const found = await look().catch(() => '')
    took = clock.now() - began
    if (found === undefined) continue
    if (found !== '') log(events.iptablesChanged({ what: found }))
    changed()
  }
}
