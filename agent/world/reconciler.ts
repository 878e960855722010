import { isDeepStrictEqual } from 'node:util'
import { backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { type ReconcilerKey, type Report, reportOf, type Reports } from './reports.ts'
import type { Store, Write } from './store.ts'
import type { Timings } from './timings.ts'
import type { World } from './world.ts'
import { reconciling } from './log-events.ts'

/** Keeps one thing true, with its own pauses and report, so that its failure does not stop others. */
export type Reconciler<Desired> = {
  readonly key: ReconcilerKey<Desired>
  /** Pure. Undefined: nothing is desired yet. */
  readonly plan: (world: World) => Desired | undefined
  /**
   * Makes it true and verifies that by reading back; does nothing if it is true already. `world` is the one it was
   * planned from. Gives whether it changed anything.
   */
  readonly apply: (desired: Desired, world: World) => Promise<boolean | PartialOutcome<Desired>>
}

/** The result of `apply` when it achieved everything except for `problem`. */
export type PartialOutcome<Desired> = {
  readonly problem: CulvertError
  /** What it has read back. */
  readonly verified: Desired
}

export type RunningReconciler = {
  /** Call when something outside may have changed. */
  readonly recheck: () => void
  readonly name: string
  /** When the present attempt began, by the clock; undefined between attempts. */
  readonly busySince: () => number | undefined
  /** Resolves when it has come to rest after the signal aborted. */
  readonly finished: Promise<void>
}

type Parts = {
  readonly store: Store
  readonly log: Log
  readonly timings: Timings
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Runs a reconciler until `signal` aborts: at each change of the desired state, at each recheck, and again after a
 * failure, with growing pauses. A new desired state is tried at once, but only once per pause, so that a state which
 * changes all the time is tried no more often than a constant one.
 */
export function runReconciler<Desired>(
  { key, plan, apply }: Reconciler<Desired>,
  { store, log, timings, clock, signal }: Parts,
  write: Write<Reports>,
): RunningReconciler {
  const { name } = key
  let stale = true
  let busySince: number | undefined
  let wake = Promise.withResolvers<void>()
  const nudge = (): void => wake.resolve()
  const recheck = (): void => {
    stale = true
    nudge()
  }
  store.watch(nudge, signal)
  clock.every(timings.reread, signal, recheck)
  signal.addEventListener('abort', nudge, { once: true })

  const report = (value: Report<Desired>): void => write((reports) => ({ ...reports, [name]: value }))

  const attempt = async (desired: Desired, world: World): Promise<boolean> => {
    const before = reportOf(world, key)
    const known = before !== undefined && isDeepStrictEqual(before.desired, desired)
    let repairs = before?.repairs ?? 0
    const failures = before?.failures ?? 0
    busySince = clock.now()
    if (before !== undefined && !known) report({ ...before, attempting: desired })
    const fail = (error: unknown, verified: Partial<Report<Desired>>): false => {
      const text = describe(error)
      // An attempt that the stop has cut short is not a failure.
      if (before?.error !== text && !signal.aborted) log(reconciling.failed({ reconciler: name, problem: text }))
      report({ desired, repairs, failures: failures + 1, error: text, attempting: desired, ...verified })
      return false
    }
    try {
      const outcome = await apply(desired, world)
      if (typeof outcome === 'object') {
        return fail(outcome.problem, { verified: outcome.verified, verifiedAt: clock.date() })
      }
      if (outcome && known && before.error === undefined) {
        repairs += 1
        log(reconciling.repaired({ reconciler: name, repairs }))
      } else if (before?.error !== undefined) {
        log(reconciling.wellAgain({ reconciler: name }))
      }
      report({ desired, repairs, failures, verified: desired, verifiedAt: clock.date() })
      return true
    } catch (error) {
      return fail(error, stillVerified(before, error))
    } finally {
      busySince = undefined
    }
  }

  const loop = async (): Promise<void> => {
    const pause = backoff(timings.retryFirst, timings.retryCap)
    /** Set during the pause after a failure. */
    let paused: { readonly over: AbortController; readonly desired: Desired; readonly early: boolean } | undefined
    let planFailure = ''
    while (!signal.aborted) {
      wake = Promise.withResolvers<void>()
      const { world } = store
      let desired: Desired | undefined
      try {
        desired = plan(world)
        planFailure = ''
      } catch (error) {
        const text = `it cannot be planned: ${describe(error)}`
        const before = reportOf(world, key)
        if (text !== planFailure) {
          log(reconciling.unplanned({ reconciler: name, problem: text }))
          if (before !== undefined) report({ ...before, error: text })
        }
        planFailure = text
        stale = true
        await wake.promise
        continue
      }
      const differs = !isDeepStrictEqual(reportOf(world, key)?.desired, desired)
      const early = paused !== undefined
      const mayTry = paused === undefined || (!paused.early && !isDeepStrictEqual(paused.desired, desired))
      if (desired === undefined || !mayTry || !(stale || differs)) {
        await wake.promise
        continue
      }
      stale = false
      paused?.over.abort()
      paused = undefined
      if (await attempt(desired, world)) {
        pause.reset()
        continue
      }
      stale = true
      const over = new AbortController()
      paused = { over, desired, early }
      clock.after(pause.next(), AbortSignal.any([signal, over.signal]), () => {
        paused = undefined
        nudge()
      })
    }
  }

  return { name, recheck, busySince: () => busySince, finished: loop() }
}

/** What was verified before, unless it is known to be lost. */
function stillVerified<Desired>(before: Report<Desired> | undefined, error: unknown): Partial<Report<Desired>> {
  const lost = error instanceof CulvertError && error.code === 'verification-failed'
  return {
    ...(before?.verifiedAt && { verifiedAt: before.verifiedAt }),
    ...(before?.verified !== undefined && !lost && { verified: before.verified }),
  }
}
