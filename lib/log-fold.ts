import type { Clock } from './clock.ts'
import type { LogEvent } from './log-event.ts'

/** An event that comes again within this many milliseconds is counted, and told with the count when they are over. */
export const foldMs = 60_000
/** So many different events are remembered at once; others are told each time. */
const most = 500

type Tell = (event: LogEvent, repeated: number) => void
type Known = { readonly event: LogEvent; readonly until: number; held: number }

/**
 * Folds repeats: an event that says the same as one that was told less than a minute ago is held back, and told once,
 * with a count, when the minute is over. Events that scripts wait for are never held back.
 */
export function folder(tell: Tell, clock: Clock) {
  const known = new Map<string, Known>()
  const ended = new AbortController()
  let isWaiting = false

  /** Tells what was held back for a minute, and forgets what did not repeat. The oldest are first. */
  const sweep = (now: number): void => {
    for (const [key, one] of known) {
      if (one.until > now) return
      known.delete(key)
      if (one.held === 0) continue
      tell(one.event, one.held)
      known.set(key, { ...one, until: now + foldMs, held: 0 })
    }
  }
  const wait = (): void => {
    const next = known.values().find(({ held }) => held > 0)
    if (isWaiting || next === undefined) return
    isWaiting = true
    clock.after(Math.max(0, next.until - clock.now()), ended.signal, () => {
      isWaiting = false
      sweep(clock.now())
      wait()
    })
  }

  return {
    take: (event: LogEvent): void => {
      if (event.awaited) return tell(event, 0)
      const now = clock.now()
      sweep(now)
      const key = `${event.name} ${event.text}`
      const before = known.get(key)
      if (before === undefined) {
        tell(event, 0)
        if (known.size < most) known.set(key, { event, until: now + foldMs, held: 0 })
      } else {
        before.held += 1
        wait()
      }
    },
    /** Tells all that is held back, and stops the clock. */
    flush: (): void => {
      ended.abort()
      sweep(Infinity)
    },
  }
}
