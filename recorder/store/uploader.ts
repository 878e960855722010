import { type Backoff, backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { tally } from '../../lib/tally.ts'
import { RemoteError, type RemoteReason } from './remote.ts'

/** How many uploads go on at once. */
const atOnce = 4
/** Pauses in milliseconds, the first and the longest: after what stops everything, and after what stops one thing. */
const [ofAll, ofOne] = [
  [500, 30_000],
  [2000, 600_000],
] as const
/** How often it is looked whether a failure is over when there is nothing to upload, in milliseconds. */
const lookMs = 10_000

type Waiting = {
  readonly bytes: number
  /** When it was finished, and when it may be tried, by the clock's `now`. */
  readonly since: number
  at: number
  readonly pauses: Backoff
  isBusy: boolean
  /** Why it was not kept the last time. */
  reason?: string
}

export type Outside = {
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  /** Rejects if it is not kept. */
  readonly upload: (key: string) => Promise<void>
  readonly look: () => Promise<void>
  /** It is kept, and is to be dropped now; `isWanted` says whether it was not before. */
  readonly kept: (key: string, isWanted: boolean) => Promise<void>
  /** What stops everything has begun, or is over. */
  readonly changed: (failure: RemoteError | undefined) => void
  /** One thing could not be kept, for a reason that is new. */
  readonly failed: (key: string, error: unknown) => void
}

/**
 * What is to be uploaded, the oldest first, and what has failed after that. It is tried again, for ever, in growing
 * pauses: those for what stops everything are for all.
 */
export class Uploader {
  readonly #outside: Outside
  readonly #waiting = new Map<string, Waiting>()
  readonly #pauses = backoff(...ofAll)
  readonly #failures = tally('reason')
  readonly #uploads = tally()
  /** Nothing is tried before, by the clock's `now`. */
  #pausedUntil = 0
  #failure: RemoteError | undefined
  /** Ends the waits of all that have nothing to do. */
  #news = new AbortController()
  #onEmpty: (() => void) | undefined

  constructor(outside: Outside) {
    this.#outside = outside
  }

  add(key: string, bytes: number): void {
    const now = this.#outside.clock.now()
    this.#waiting.set(key, { bytes, since: now, at: now, pauses: backoff(...ofOne), isBusy: false })
    this.#wake()
  }

  has(key: string): boolean {
    return this.#waiting.has(key)
  }

  /** It need not be uploaded any more; gives how many bytes it has, 0 if it is not waiting. */
  drop(key: string): number {
    const { bytes = 0 } = this.#waiting.get(key) ?? {}
    this.#waiting.delete(key)
    this.#ended()
    return bytes
  }

  keys(): string[] {
    return [...this.#waiting.keys()]
  }

  /** What stops everything now. */
  get failure(): RemoteError | undefined {
    return this.#failure
  }

  /** How many wait, and for how many milliseconds the oldest has. */
  get state() {
    const now = this.#outside.clock.now()
    let oldest = now
    for (const { since } of this.#waiting.values()) oldest = Math.min(oldest, since)
    return {
      waiting: this.#waiting.size,
      ms: now - oldest,
      uploads: this.#uploads.samples(),
      failures: this.#failures.samples(),
    }
  }

  /** Uploads until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake())
    await Promise.all([this.#look(signal), ...Array.from({ length: atOnce }, () => this.#work(signal))])
  }

  /** Resolves when nothing waits, at once if nothing does. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      this.#ended()
    })
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { clock } = this.#outside
    while (!signal.aborted) {
      const news = this.#news.signal
      const [next, at] = this.#next(clock.now())
      if (next !== undefined) await this.#try(...next)
      else await clock.sleep(Math.min(at - clock.now(), lookMs), news)
    }
  }

  /** What can be tried now, or when something could be. */
  #next(now: number): readonly [readonly [string, Waiting] | undefined, number] {
    if (now < this.#pausedUntil) return [undefined, this.#pausedUntil]
    let at = Infinity
    for (const entry of this.#waiting) {
      const [, one] = entry
      if (one.isBusy) continue
      at = Math.min(at, one.at)
      if (at <= now) return [entry, at]
    }
    return [undefined, at]
  }

  async #try(key: string, one: Waiting): Promise<void> {
    const { clock, upload, kept, failed } = this.#outside
    one.isBusy = true
    try {
      await upload(key)
      this.#uploads.add()
      this.#well()
      await kept(key, this.#waiting.get(key) === one)
    } catch (error) {
      const reason = this.#count(error)
      if (error instanceof RemoteError && error.isOfAll) {
        // It may be about this one only, so others come first.
        if (this.#waiting.get(key) === one && this.#waiting.delete(key)) this.#waiting.set(key, one)
        return this.#stop(error)
      }
      one.at = clock.now() + one.pauses.next()
      if (one.reason !== reason) failed(key, error)
      one.reason = reason
    } finally {
      one.isBusy = false
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, look } = this.#outside
    while (!signal.aborted) {
      try {
        await look()
        this.#well()
      } catch (error) {
        this.#count(error)
        if (error instanceof RemoteError && error.isOfAll) this.#stop(error)
      }
      do await clock.sleep(lookMs, signal)
      while (!signal.aborted && (this.#failure === undefined || this.#waiting.size > 0))
    }
  }

  #count(error: unknown): RemoteReason | 'spool' {
    const reason = error instanceof RemoteError ? error.reason : 'spool'
    this.#failures.add(reason)
    return reason
  }

  /** Nothing more is tried for a while; others that fail for the same outage change nothing. */
  #stop(failure: RemoteError): void {
    const now = this.#outside.clock.now()
    if (now >= this.#pausedUntil) this.#pausedUntil = now + this.#pauses.next()
    const isNew = this.#failure?.reason !== failure.reason
    this.#failure = failure
    if (isNew) this.#outside.changed(failure)
  }

  #well(): void {
    this.#pauses.reset()
    if (this.#failure === undefined) return
    this.#failure = undefined
    this.#pausedUntil = 0
    this.#outside.changed(undefined)
    this.#wake()
  }

  #wake(): void {
    this.#news.abort()
    this.#news = new AbortController()
  }

  #ended(): void {
    if (this.#waiting.size === 0) this.#onEmpty?.()
  }
}
