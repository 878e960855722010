import { setTimeout as delay } from 'node:timers/promises'

/**
 * Where the time comes from and what waits for it to pass. Code that takes a `Clock` runs in virtual time in its
 * tests. Lengths are in milliseconds, 2³¹ − 1 at most: Node takes a longer one for 1 ms.
 */
export type Clock = {
  /** Milliseconds since some moment. It never goes back, so lengths of time are measured with it. */
  readonly now: () => number
  /** The time of day, which may be set forward or back at any moment. */
  readonly date: () => Date
  /**
   * Waits `ms` milliseconds or until `signal` aborts, whichever is first. Never rejects: a caller that must tell the
   * two apart looks at `signal.aborted`.
   */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Calls `action` every `ms` milliseconds until `signal` aborts. The timer does not keep the process alive. */
  readonly every: (ms: number, signal: AbortSignal, action: () => void) => void
  /** Calls `action` once, in `ms` milliseconds, unless `signal` aborts first. The timer keeps the process alive. */
  readonly after: (ms: number, signal: AbortSignal, action: () => void) => void
  /**
   * A signal that aborts with a `TimeoutError` in `ms` milliseconds, a whole number. It does not keep the process
   * alive.
   */
  readonly timeout: (ms: number) => AbortSignal
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal })
    } catch {
      // Aborted: the wait is over.
    }
  },
  every: (ms, signal, action) => {
    if (signal.aborted) return
    const timer = setInterval(action, ms)
    timer.unref()
    signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  },
  after: (ms, signal, action) => {
    if (signal.aborted) return
    const cancel = (): void => clearTimeout(timer)
    const timer = setTimeout(() => {
      // The signal may live much longer than this timer, and would keep it in memory.
      signal.removeEventListener('abort', cancel)
      action()
    }, ms)
    signal.addEventListener('abort', cancel, { once: true })
  },
  timeout: (ms) => AbortSignal.timeout(ms),
}
