import type { Context } from './context.ts'

/** The same text is logged again no sooner than after so many milliseconds. */
const againMs = 60_000
/** So many problems are logged at a time; how many more there are is said. */
const most = 10

/**
 * Gives what takes, at each change, all that is wrong with `what` now. The log gets what is new of it, and that `what` is
 * good again. A text that comes and goes is logged once a minute, and what holds then is logged in the end.
 */
export function logProblems(
  what: string,
  { log, clock, signal }: Pick<Context, 'log' | 'clock' | 'signal'>,
): (problems: readonly string[]) => void {
  const loggedAt = new Map<string, number>()
  let logged = new Set<string>()
  let wasBad = false
  let timer = new AbortController()

  return function take(problems) {
    timer.abort()
    if (signal.aborted) return
    const now = clock.now()
    for (const [text, at] of loggedAt) if (now - at >= againMs) loggedAt.delete(text)
    const texts = problems.map((problem) => `warning: ${problem}`)
    if (texts.length === 0 && wasBad) texts.push(`${what} is good again`)
    const held = texts.filter((text) => !logged.has(text) && loggedAt.has(text))
    const due = texts.filter((text) => !logged.has(text) && !loggedAt.has(text))
    for (const text of due.slice(0, most)) {
      log(text)
      loggedAt.set(text, now)
    }
    if (due.length > most) log(`warning: ${what}: and ${due.length - most} more`)
    if (due.length > 0) wasBad = problems.length > 0
    logged = new Set(texts).difference(new Set(held))
    const [first] = held
    if (first === undefined) return
    timer = new AbortController()
    const inMs = (loggedAt.get(first) ?? now) + againMs - now
    clock.after(inMs, AbortSignal.any([signal, timer.signal]), () => take(problems))
  }
}
