import { type Backoff, backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { type QueueMeasures, queueMeasures } from './measures.ts'
import { schedule } from './schedule.ts'

/** How a run ended. */
export type Outcome = {
  /** It failed: the key runs again after its pause, which grows. */
  readonly retry?: boolean
  /** Milliseconds after which the key runs again without an event. */
  readonly again?: number | undefined
  /** The key does not run again before this settles. Others may run meanwhile. */
  readonly hold?: Promise<unknown> | undefined
}

export type QueueOptions = {
  readonly clock: Clock
  /** How many keys run at once. */
  readonly concurrency?: number
  /** Milliseconds: the first pause after a failure, and the longest. */
  readonly pauses?: { readonly first: number; readonly longest: number }
  readonly random?: () => number
}

export type Queue = {
  /**
   * Has a key run: once, however often it is added before it begins; once more, if it is added while it runs. `live`
   * goes before what was there at the start and what is only repeated.
   */
  readonly add: (key: string, options?: { readonly live?: boolean; readonly after?: number }) => void
  /** Nothing runs before this. */
  readonly start: () => void
  /**
   * Begins nothing any more, and resolves when nothing runs, with true; or after `ms` milliseconds, with false: what
   * still runs is then aborted.
   */
  readonly drain: (ms: number) => Promise<boolean>
  /** Keys that wait, that run, and that failed the last time. */
  readonly counts: () => { readonly waiting: number; readonly running: number; readonly failing: number }
  /** Nothing runs, is held, or could run now; what failed may still be due later. */
  readonly isIdle: () => boolean
  readonly measures: () => QueueMeasures
}

type Failing = {
  readonly pauses: Backoff
  /** When the pause ends. */
  until: number
  /** An event has cut a pause short since the last one that ended by itself. */
  early: boolean
}

type Added = { readonly due: number; readonly live: boolean }

/**
 * Runs `work` for each key that is added, and never twice at once for the same. An event during the pause after a
 * failure has the key run at once, but only once until a pause has ended by itself: a key that always fails and causes
 * events by failing must not run without pauses.
 */
export function queue(
  work: (key: string, signal: AbortSignal) => Promise<Outcome>,
  { clock, concurrency = 4, pauses = { first: 1000, longest: 300_000 }, random = Math.random }: QueueOptions,
): Queue {
  const waiting = schedule()
  const measures = queueMeasures(clock)
  /** Keys that run or are held, with what was added for them meanwhile. */
  const flights = new Map<string, Added | undefined>()
  const failing = new Map<string, Failing>()
  const abort = new AbortController()
  /** Resolves when holds do not count any more. */
  const stopped = Promise.withResolvers<void>()
  let running = 0
  let started = false
  let draining: (() => void) | undefined
  let timer = new AbortController()

  const wait = (key: string, due: number, live: boolean): void => {
    measures.waits(key, due)
    waiting.put(key, due, live, clock.now())
  }

  const put = (key: string, { due, live }: Added): void => {
    const failed = failing.get(key)
    if (failed === undefined || due >= failed.until) return wait(key, due, live)
    wait(key, failed.early ? failed.until : due, live)
    failed.early = true
  }

  const finish = (key: string, { retry = false, again }: Outcome): void => {
    const added = flights.get(key)
    flights.delete(key)
    if (draining !== undefined) return flights.size === 0 ? draining() : undefined
    const now = clock.now()
    if (retry) {
      const failed = failing.get(key) ?? {
        pauses: backoff(pauses.first, pauses.longest, random),
        until: 0,
        early: false,
      }
      failed.until = now + failed.pauses.next()
      failing.set(key, failed)
      measures.count('retries')
      wait(key, failed.until, false)
    } else {
      failing.delete(key)
      if (again !== undefined) wait(key, now + again, false)
    }
    if (added !== undefined) put(key, added)
    pump()
  }

  const run = async (key: string): Promise<void> => {
    const failed = failing.get(key)
    if (failed !== undefined && clock.now() >= failed.until) failed.early = false
    flights.set(key, undefined)
    running += 1
    measures.begins(key)
    let outcome: Outcome
    try {
      outcome = await work(key, abort.signal)
    } catch {
      outcome = { retry: true }
    }
    running -= 1
    measures.ends(key)
    if (outcome.hold !== undefined && draining === undefined) {
      pump()
      await Promise.race([Promise.allSettled([outcome.hold]), stopped.promise])
    }
    finish(key, outcome)
  }

  const takeNext = (): string | undefined => (running < concurrency ? waiting.take(clock.now()) : undefined)

  const pump = (): void => {
    timer.abort()
    if (!started || draining !== undefined) return
    for (let key = takeNext(); key !== undefined; key = takeNext()) void run(key)
    const next = waiting.next()
    if (next === undefined || running >= concurrency) return
    timer = new AbortController()
    clock.after(Math.max(0, Math.min(next - clock.now(), longestTimer)), timer.signal, pump)
  }

  return {
    add: (key, { live = false, after = 0 } = {}) => {
      if (draining !== undefined) return
      measures.count('adds')
      const due = clock.now() + after
      if (flights.has(key)) {
        const before = flights.get(key)
        flights.set(key, { due: Math.min(due, before?.due ?? due), live: live || before?.live === true })
        return
      }
      put(key, { due, live })
      pump()
    },
    start: () => {
      started = true
      pump()
    },
    drain: async (ms) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      draining = resolve
      timer.abort()
      waiting.clear()
      stopped.resolve()
      if (flights.size === 0) resolve()
      const over = new AbortController()
      let late = false
      clock.after(ms, over.signal, () => {
        late = true
        abort.abort(new Error('the time for ending is over'))
        resolve()
      })
      await promise
      over.abort()
      return !late
    },
    counts: () => ({ waiting: waiting.size(), running, failing: failing.size }),
    isIdle: () => flights.size === 0 && (waiting.next() ?? Infinity) > clock.now(),
    measures: measures.taken,
  }
}

/** Node fires longer timers at once. */
const longestTimer = 2 ** 31 - 1
