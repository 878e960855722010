import type { Log } from '../../lib/log.ts'

/** The same text is told again no sooner than after so many milliseconds. */
const againMs = 60_000
/** So many problems are told at a time; how many more there are is said. */
const most = 10

/**
 * Gives what takes, at each change, all that is wrong with `what` now. The log gets what is new of it, and that `what` is
 * good again. A text that comes and goes is told once a minute, and what holds then is told in the end.
 */
export function problemTeller(what: string, log: Log, signal: AbortSignal): (problems: readonly string[]) => void {
  const toldAt = new Map<string, number>()
  let told = new Set<string>()
  let toldBad = false
  let timer: NodeJS.Timeout | undefined
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })

  return function tell(problems) {
    clearTimeout(timer)
    if (signal.aborted) return
    const now = performance.now()
    for (const [text, at] of toldAt) if (now - at >= againMs) toldAt.delete(text)
    const texts = problems.map((problem) => `warning: ${problem}`)
    if (texts.length === 0 && toldBad) texts.push(`${what} is good again`)
    const held = texts.filter((text) => !told.has(text) && toldAt.has(text))
    const due = texts.filter((text) => !told.has(text) && !toldAt.has(text))
    for (const text of due.slice(0, most)) {
      log(text)
      toldAt.set(text, now)
    }
    if (due.length > most) log(`warning: ${what}: and ${due.length - most} more`)
    if (due.length > 0) toldBad = problems.length > 0
    told = new Set(texts).difference(new Set(held))
    const [first] = held
    if (first !== undefined) timer = setTimeout(tell, (toldAt.get(first) ?? now) + againMs - now, problems).unref()
  }
}
