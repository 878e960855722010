import type { Clock } from '../../lib/clock.ts'

type Timer = { readonly due: number; readonly fire: () => void; handle: NodeJS.Timeout }

/**
 * The clock of the machine, of which a test can skip some time: what is due by then happens at once, in its order. For
 * code that waits for minutes, and for I/O meanwhile.
 */
export class SkippingClock implements Clock {
  readonly #timers = new Set<Timer>()
  #skipped = 0

  readonly now = (): number => performance.now() + this.#skipped

  readonly date = (): Date => new Date(Date.now() + this.#skipped)

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (signal?.aborted === true) resolve()
    else this.#start(ms, resolve, signal, resolve)
    return promise
  }

  readonly after = (ms: number, signal: AbortSignal, action: () => void): void => {
    if (!signal.aborted) this.#start(ms, action, signal)
  }

  readonly every = (ms: number, signal: AbortSignal, action: () => void): void =>
    this.after(ms, signal, () => {
      this.every(ms, signal, action)
      action()
    })

  readonly timeout = (ms: number): AbortSignal => {
    const over = new AbortController()
    this.#start(ms, () =>
      over.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
    ).unref()
    return over.signal
  }

  /** Lets this many milliseconds pass at once. */
  skip(ms: number): void {
    this.#skipped += ms
    for (const timer of [...this.#timers].toSorted((one, other) => one.due - other.due)) {
      // One that fired may have ended others.
      if (!this.#timers.has(timer)) continue
      clearTimeout(timer.handle)
      if (timer.due <= this.now()) timer.fire()
      else timer.handle = setTimeout(timer.fire, timer.due - this.now())
    }
  }

  #start(ms: number, action: () => void, signal?: AbortSignal, cancelled?: () => void): NodeJS.Timeout {
    const end = (): void => {
      clearTimeout(timer.handle)
      this.#timers.delete(timer)
      signal?.removeEventListener('abort', cancel)
    }
    const cancel = (): void => {
      end()
      cancelled?.()
    }
    const fire = (): void => {
      end()
      action()
    }
    const timer: Timer = { due: this.now() + ms, fire, handle: setTimeout(fire, ms) }
    this.#timers.add(timer)
    signal?.addEventListener('abort', cancel, { once: true })
    return timer.handle
  }
}
