import { isDeepStrictEqual } from 'node:util'
import { backoff } from '../../lib/backoff.ts'
import { CulvertError, describe, type ErrorCode } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { every, sleep } from '../../lib/timers.ts'
import type { Waits } from './timings.ts'
import type { FacetReport, Store, World } from './world.ts'

/** One thing that is kept true: alone, with its own pauses and report, so that its failure stops no other. */
export type Facet<Desired> = {
  readonly name: string
  /** Pure. Undefined: there is nothing to want yet. */
  readonly plan: (world: World) => Desired | undefined
  /** Makes it true and proves it by reading back; does nothing when it is true already. Gives whether it changed anything. */
  readonly apply: (desired: Desired) => Promise<boolean>
}

/** What `apply` throws when it made true all but what the message tells. */
export class PartlyHeld extends CulvertError {
  /** What it has read back, in the shape of what was desired. */
  readonly verified: unknown

  constructor(code: ErrorCode, message: string, verified: unknown, remedy: string) {
    super(code, message, { remedy })
    this.verified = verified
  }
}

export type RunningFacet = {
  /** Something outside may have changed: look again. */
  readonly recheck: () => void
  readonly name: string
  /** Since when its present attempt lasts, by performance.now(); undefined while it rests. */
  readonly busySince: () => number | undefined
  /** Resolves when the facet has come to rest after the signal aborted. */
  readonly finished: Promise<void>
}

/** Runs a facet until `signal` aborts: at each change of what it wants, at each recheck, and again after a failure. */
export function runFacet<Desired>(
  facet: Facet<Desired>,
  { store, log, waits, signal }: { store: Store; log: Log; waits: Waits; signal: AbortSignal },
): RunningFacet {
  let stale = true
  let busySince: number | undefined
  let wake = Promise.withResolvers<void>()
  const nudge = (): void => wake.resolve()
  const recheck = (): void => {
    stale = true
    nudge()
  }
  store.watch(nudge, signal)
  every(waits.reread, signal, recheck)
  signal.addEventListener('abort', nudge, { once: true })

  const attempt = async (desired: Desired): Promise<boolean> => {
    const before = store.world.facets[facet.name]
    const known = before !== undefined && isDeepStrictEqual(before.desired, desired)
    let repairs = before?.repairs ?? 0
    const failures = before?.failures ?? 0
    busySince = performance.now()
    if (before !== undefined && !known) report({ ...before, attempting: desired })
    try {
      const changed = await facet.apply(desired)
      if (changed && known && before.error === undefined) {
        repairs += 1
        log(`${facet.name}: another program had changed what was in place; repaired (${repairs} so far)`)
      } else if (before?.error !== undefined) {
        log(`${facet.name}: in place again`)
      }
      report({ desired, repairs, failures, verified: desired, verifiedAt: new Date() })
      return true
    } catch (error) {
      const text = describe(error)
      if (before?.error !== text) log(`${facet.name}: ${text}`)
      report({
        desired,
        repairs,
        failures: failures + 1,
        error: text,
        attempting: desired,
        failingSince: before?.failingSince ?? new Date(),
        ...(error instanceof PartlyHeld
          ? { verified: error.verified, verifiedAt: new Date() }
          : formerOf(before, error)),
      })
      return false
    } finally {
      busySince = undefined
    }
  }

  const report = (value: World['facets'][string]): void =>
    store.update((world) => ({ ...world, facets: { ...world.facets, [facet.name]: value } }))

  const loop = async (): Promise<void> => {
    const pause = backoff(waits.retryFirst, waits.retryCap)
    /** Failed a moment ago: tried again after a pause, or at once when something else is wanted. */
    let failed: { readonly desired: Desired } | undefined
    while (!signal.aborted) {
      wake = Promise.withResolvers<void>()
      const desired = facet.plan(store.world)
      const differs = !isDeepStrictEqual(store.world.facets[facet.name]?.desired, desired)
      const pausing = failed !== undefined && isDeepStrictEqual(failed.desired, desired)
      if (desired === undefined || pausing || !(stale || differs)) {
        await wake.promise
        continue
      }
      stale = false
      if (await attempt(desired)) {
        pause.reset()
        failed = undefined
        continue
      }
      stale = true
      failed = { desired }
      void sleep(pause.next(), signal).then(() => {
        failed = undefined
        nudge()
      })
    }
  }

  return { name: facet.name, recheck, busySince: () => busySince, finished: loop() }
}

/** What was verified before, unless it is known to be lost. */
const formerOf = (before: FacetReport | undefined, error: unknown): Partial<FacetReport> => ({
  ...(before?.verifiedAt && { verifiedAt: before.verifiedAt }),
  ...(before?.verified !== undefined &&
    !(error instanceof CulvertError && error.code === 'not-held') && { verified: before.verified }),
})
