import type { Context } from './context.ts'

/** The same text is logged again only after this many milliseconds. */
const againMs = 60_000
/** At most this many problems are logged at once; the others are counted. */
const most = 10

/**
 * Gives a function that takes, at each change, all present problems of `what`. It logs new problems, and when `what` is
 * fine again. A text that comes and goes is logged once a minute, and its final state always.
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
