import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../lib/clock.ts'

type Timer = { due: number; readonly counted: boolean; readonly fire: () => void }

/** Node turns a longer wait into 1 ms. */
const longest = 2 ** 31 - 1
/** Turns of the event loop after which everything that a timer triggered is done, unless it waits for I/O. */
const turns = 5

/**
 * A clock for tests whose time passes only when the test says so. Timers fire when they are due, those due at the same
 * time in order of creation; before the next one fires, everything that the last one triggered is done: promises,
 * `process.nextTick` and `setImmediate`. What waits for I/O (a process, a socket, a file) must be awaited by the test.
 *
 *     const clock = new VirtualClock()
 *     void loop({ clock, signal })
 *     await clock.advance(5000)   // what the loop does in its first five seconds
 *     await clock.next()          // to the next timer, however long a random pause is
 */
export class VirtualClock implements Clock {
  readonly #timers = new Set<Timer>()
  readonly #began: number
  #now = 0

  constructor(began: Date = new Date('2026-01-01T00:00:00Z')) {
    this.#began = began.getTime()
  }

  /** Milliseconds since the clock was made. */
  readonly now = (): number => this.#now

  readonly date = (): Date => new Date(this.#began + this.#now)

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (signal?.aborted === true) resolve()
    else this.#start(ms, resolve, { signal, cancelled: resolve })
    return promise
  }

  readonly every = (ms: number, signal: AbortSignal, action: () => void): void => {
    if (!signal.aborted) this.#start(ms, action, { signal, again: true })
  }

  readonly after = (ms: number, signal: AbortSignal, action: () => void): void => {
    if (!signal.aborted) this.#start(ms, action, { signal })
  }

  readonly timeout = (ms: number): AbortSignal => {
    if (!Number.isInteger(ms) || ms < 0) throw new RangeError(`AbortSignal.timeout takes no ${ms} ms`)
    const controller = new AbortController()
    const reason = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
    this.#start(ms, () => controller.abort(reason), { counted: false })
    return controller.signal
  }

  /**
   * The number of pending sleeps and timers, single and repeated. Timeouts are not counted, as they cannot be
   * cancelled.
   */
  get pending(): number {
    return [...this.#timers].filter(({ counted }) => counted).length
  }

  /** Completes everything that needs no time to pass. */
  readonly settle = async (): Promise<void> => {
    for (let count = 0; count < turns; count += 1) await turn()
  }

  /**
   * Lets `ms` milliseconds pass, with everything that happens in them.
   * @throws what the action of a timer throws; the clock then stays at the time of that timer
   */
  readonly advance = async (ms: number): Promise<void> => {
    const until = this.#now + ms
    await this.settle()
    while ((this.#first()?.due ?? Infinity) <= until) await this.#fireFirst()
    this.#now = until
  }

  /**
   * Advances to the next timer, timeouts included, and completes everything that it triggers.
   * @returns the milliseconds that have passed
   * @throws when no timer is pending, and what the action of the timer throws
   */
  readonly next = async (): Promise<number> => {
    const began = this.#now
    await this.settle()
    if (this.#first() === undefined) throw new Error('nothing waits for the time to pass')
    await this.#fireFirst()
    return this.#now - began
  }

  async #fireFirst(): Promise<void> {
    const timer = this.#first()
    if (timer === undefined) return
    this.#now = timer.due
    this.#timers.delete(timer)
    timer.fire()
    await this.settle()
  }

  #first(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (first === undefined || timer.due < first.due) first = timer
    return first
  }

  #start(
    ms: number,
    action: () => void,
    options: { signal?: AbortSignal | undefined; cancelled?: () => void; again?: boolean; counted?: boolean },
  ): void {
    const { signal, cancelled, again = false, counted = true } = options
    if (Number.isNaN(ms) || ms > longest) throw new RangeError(`Node takes a wait of ${ms} ms for one of 1 ms`)
    const dueAfter = (): number => this.#now + Math.max(1, ms)
    const cancel = (): void => {
      this.#timers.delete(timer)
      cancelled?.()
    }
    const timer: Timer = {
      due: dueAfter(),
      counted,
      fire: () => {
        timer.due = dueAfter()
        if (again) this.#timers.add(timer)
        else signal?.removeEventListener('abort', cancel)
        action()
      },
    }
    this.#timers.add(timer)
    signal?.addEventListener('abort', cancel, { once: true })
  }
}
