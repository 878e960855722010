import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../../../lib/clock.ts'

const never = new AbortController().signal

/**
 * The clock of a process that can be paused, in the time of another clock: it goes `rate` times as fast, and nothing
 * that waits for it goes on before the process does.
 */
export class OwnClock implements Clock {
  readonly #base: Clock
  readonly #rate: number
  #pause: PromiseWithResolvers<void> | undefined
  /** How far its time of day is off, in milliseconds. */
  off = 0

  constructor(base: Clock, rate: number) {
    this.#base = base
    this.#rate = rate
  }

  pause(): void {
    this.#pause ??= Promise.withResolvers()
  }

  resume(): void {
    this.#pause?.resolve()
    this.#pause = undefined
  }

  get isPaused(): boolean {
    return this.#pause !== undefined
  }

  /** Resolves when the process is not paused. */
  async going(): Promise<void> {
    while (this.#pause !== undefined) await this.#pause.promise
  }

  readonly now = (): number => this.#base.now() * this.#rate
  readonly date = (): Date => new Date(this.#base.date().getTime() + this.off)
  readonly sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    await this.#base.sleep(ms / this.#rate, signal)
    await this.going()
  }
  readonly after = (ms: number, signal: AbortSignal, action: () => void): void =>
    this.#base.after(ms / this.#rate, signal, () => {
      // What was due during a pause happens in any order after it: timers come last here, which is the worst.
      const due = this.isPaused ? this.going().then(turn) : Promise.resolve()
      void due.then(() => (signal.aborted ? undefined : action()))
    })
  readonly every = (): void => {
    throw new Error('not played')
  }
  readonly timeout = (ms: number): AbortSignal => {
    const over = new AbortController()
    this.after(ms, never, () => over.abort(new DOMException('timeout', 'TimeoutError')))
    return over.signal
  }
}
