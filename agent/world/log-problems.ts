import type { LogEvent } from '../../lib/log-event.ts'
import type { Context } from './context.ts'
import { working } from './log-events.ts'

/** The same text is logged again only after this many milliseconds. */
const againMs = 60_000
/** At most this many problems are logged at once; the others are counted. */
const most = 10

/**
 * Gives a function that takes, at each change, all present problems of `what`. It logs new problems as events that
 * `made` makes, and when `what` is fine again. A text that comes and goes is logged once a minute, and its final state
 * always.
 */
export function logProblems(
  what: string,
  made: (problem: { readonly problem: string }) => LogEvent,
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
    const all = problems.map((problem) => made({ problem }))
    if (all.length === 0 && wasBad) all.push(working.good({ what }))
    const news = all.filter(({ text }) => !logged.has(text))
    const held = news.filter(({ text }) => loggedAt.has(text))
    const due = news.filter(({ text }) => !loggedAt.has(text))
    for (const event of due.slice(0, most)) {
      log(event)
      loggedAt.set(event.text, now)
    }
    if (due.length > most) log(working.more({ what, count: due.length - most }))
    if (due.length > 0) wasBad = problems.length > 0
    logged = new Set(textsOf(all)).difference(new Set(textsOf(held)))
    const [first] = held
    if (first === undefined) return
    timer = new AbortController()
    const inMs = (loggedAt.get(first.text) ?? now) + againMs - now
    clock.after(inMs, AbortSignal.any([signal, timer.signal]), () => take(problems))
  }
}

const textsOf = (events: readonly LogEvent[]): string[] => events.map(({ text }) => text)
