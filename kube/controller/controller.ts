import { type Clock, systemClock } from '../../lib/clock.ts'
import { CulvertError, describe, kindOfError } from '../../lib/errors.ts'
import { histogram } from '../../lib/histogram.ts'
import type { Sample } from '../../lib/metrics.ts'
import { tally } from '../../lib/tally.ts'
import { KubeError } from '../error.ts'
import type { KubeObject } from './object.ts'
import { type Outcome, queue, type QueueOptions } from './queue.ts'
import type { QueueMeasures } from './measures.ts'
import type { Source } from './reflect.ts'
import type { Change, Store } from './store.ts'

/** What the user asks for cannot be done, whatever the number of attempts; `reason` is a word for programs. */
export class UserError extends CulvertError {
  readonly reason: string

  constructor(reason: string, message: string, remedy?: string) {
    super('object', message, remedy === undefined ? {} : { remedy })
    this.name = 'UserError'
    this.reason = reason
  }

  override get kind(): string {
    return this.reason
  }
}

/** One run of a reconcile. */
export type Flight = {
  /** Aborts when the time of this run is over, or that of the process. */
  readonly signal: AbortSignal
  /** The key does not run again before this settles: the caches then show what the run has written. */
  readonly wrote: (shown: Promise<unknown>) => void
}

/** `again`: milliseconds after which the key is to run again without an event. */
export type Reconcile = (key: string, flight: Flight) => Promise<{ readonly again?: number } | void>

/** Which keys a change of some object concerns. */
export type Trigger = { readonly listen: (changed: (keys: Iterable<string>, initial: boolean) => void) => void }

export const trigger = <T extends KubeObject>(
  store: Store<T>,
  keys: (change: Change<T>) => Iterable<string>,
): Trigger => ({
  listen: (changed) => void store.listen((change) => changed(keys(change), change.initial)),
})

export type ControllerOptions = Omit<QueueOptions, 'clock'> & {
  readonly name: string
  readonly triggers: readonly Trigger[]
  /** All that the reconcile reads: nothing runs before these have listed their objects. */
  readonly sources: readonly Pick<Source, 'synced'>[]
  readonly reconcile: Reconcile
  /** Tells the user, by a condition, why the key is not as wanted. It is not retried until something changes. */
  readonly refuse: (key: string, error: UserError, flight: Flight) => Promise<void>
  /** Called with the reason why a key fails, when that changes, and with undefined once it has succeeded. */
  readonly problem: (key: string, text: string | undefined) => void
  /** Milliseconds that one run may take. */
  readonly timeoutMs?: number
  readonly clock?: Clock
}

/** How runs ended. `stale`: they met a newer state of the cluster than the caches had. */
export type Result = 'done' | 'stale' | 'refused' | 'failed'

export type Controller = {
  readonly name: string
  /** Has a key run, as an event would. */
  readonly add: (key: string) => void
  /** As that of a queue. */
  readonly drain: (ms: number) => Promise<boolean>
  readonly counts: () => ReturnType<ReturnType<typeof queue>['counts']> & {
    readonly results: Readonly<Record<Result, number>>
  }
  /** As that of a queue. */
  readonly isIdle: () => boolean
  readonly measures: () => QueueMeasures & {
    /** Samples of a histogram in seconds, by controller and result. */
    readonly durations: readonly Sample[]
    /** Samples of a counter, by controller and reason: of the runs that were refused or failed. */
    readonly errors: readonly Sample[]
  }
}

/** Runs in a row that met a newer state, and wrote nothing, before that counts as a failure. */
const mostStale = 5

/**
 * Has `reconcile` run for each key that a change concerns, once the caches are filled. A conflict, or an object that
 * is gone, is tried again silently; a UserError is told to the user, and not tried again; everything else is tried
 * again with growing pauses, and reported.
 */
export function controller(options: ControllerOptions): Controller {
  const { name, reconcile, refuse, problem, timeoutMs = 120_000, clock = systemClock } = options
  const results: Record<Result, number> = { done: 0, stale: 0, refused: 0, failed: 0 }
  const durations = { done: histogram(), stale: histogram(), refused: histogram(), failed: histogram() }
  const errors = tally('controller', 'reason')
  /** Keys that are not well: how often they met a newer state in a row, and what was reported. */
  const unwell = new Map<string, { stale: number; text: string | undefined }>()

  const well = (key: string): void => {
    if (unwell.get(key)?.text !== undefined) problem(key, undefined)
    unwell.delete(key)
  }

  /** Keeps count of a failed run. */
  const note = (key: string, error: unknown, hasWritten: boolean): Result => {
    const before = unwell.get(key) ?? { stale: 0, text: undefined }
    const stale = isStale(error) ? (hasWritten ? 0 : before.stale) + 1 : 0
    const silent = stale > 0 && stale < mostStale
    const text = silent ? before.text : describe(error)
    unwell.set(key, { stale, text })
    if (!silent) errors.add(name, kindOfError(error))
    if (text !== before.text) problem(key, text)
    return silent ? 'stale' : 'failed'
  }

  const attempt = async (
    key: string,
    flight: Flight,
    hasWritten: () => boolean,
  ): Promise<{ readonly result: Result; readonly again?: number }> => {
    const failed = (error: unknown) => ({ result: note(key, endedBy(flight.signal, error), hasWritten()) })
    try {
      const done = await reconcile(key, flight)
      well(key)
      return { result: 'done', ...done }
    } catch (error) {
      if (!(error instanceof UserError)) return failed(error)
      try {
        await refuse(key, error, flight)
        well(key)
        errors.add(name, error.kind)
        return { result: 'refused' }
      } catch (failure) {
        return failed(failure)
      }
    }
  }

  const work = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    const began = clock.now()
    const shown: Promise<unknown>[] = []
    const flight = {
      signal: AbortSignal.any([signal, clock.timeout(timeoutMs)]),
      wrote: (one: Promise<unknown>): void => void shown.push(one),
    }
    const { result, again } = await attempt(key, flight, () => shown.length > 0)
    results[result] += 1
    durations[result].observe((clock.now() - began) / 1000)
    const retry = result === 'stale' || result === 'failed'
    return { retry, again, hold: shown.length === 0 ? undefined : Promise.allSettled(shown) }
  }

  const keys = queue(work, { ...options, clock })
  for (const { listen } of options.triggers) {
    listen((changed, initial) => {
      for (const key of changed) keys.add(key, { live: !initial })
    })
  }
  void Promise.all(options.sources.map(({ synced }) => synced)).then(() => keys.start())

  return {
    name,
    add: (key) => keys.add(key, { live: true }),
    drain: keys.drain,
    counts: () => ({ ...keys.counts(), results: { ...results } }),
    isIdle: keys.isIdle,
    measures: () => ({
      ...keys.measures(),
      durations: Object.entries(durations).flatMap(([result, one]) => one.samples({ controller: name, result })),
      errors: errors.samples(),
    }),
  }
}

/** The caches were behind: somebody else was faster, or the object is gone. */
export const isStale = (error: unknown): boolean =>
  error instanceof KubeError && (error.status === 409 || (error.status === 404 && error.reason === 'NotFound'))

/** The reason of the signal, if that ended the run: what was aborted says less. */
const endedBy = (signal: AbortSignal, error: unknown): unknown => (signal.aborted ? signal.reason : error)
