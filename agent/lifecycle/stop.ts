import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { aborted } from '../../lib/timers.ts'
import type { Timings } from '../world/timings.ts'
import { stopping } from './log-events.ts'

/**
 * The stop in order: readiness falls; flows into the tailnet are reset while new ones are still carried; sources and
 * reconcilers come to rest; advertisements are withdrawn; tailscaled writes its state and ends; an identity with a
 * refused key is removed; the rules go after tailscaled, since flows continue while its device exists; the endpoints
 * answer until the end.
 */
export const stopStages = [
  'announcing the stop',
  'resetting connections',
  'waiting for the reconcilers',
  'withdrawing what is advertised',
  'waiting for the state',
  'stopping tailscaled',
  'clearing the old identity',
  'removing the rules',
  'unlinking the socket',
  'closing the endpoints',
] as const
export type StopStage = (typeof stopStages)[number]

/** One step; when `deadline` aborts, it is no longer waited for. */
export type StopStep = (deadline: AbortSignal, reason: string) => unknown

export type Stopper = {
  /** Registers `step` for its stage. Steps of one stage run in the order of registration. */
  readonly at: (stage: StopStage, step: StopStep) => void
  /**
   * Runs all steps, once, within the budget. A step that fails is logged, and the next ones are run. `force` ends the
   * steps up to tailscaled at once and kills that; the clean-up after it keeps its time, which is short anyway.
   */
  readonly run: (reason: string, force: AbortSignal) => Promise<void>
}

type Parts = { readonly log: Log; readonly clock: Clock; readonly timings: Timings }

/** How long a step may take to report its progress after its deadline, in ms. */
const reportMs = 100

/**
 * An early step may use up its time, for example if the Kubernetes API does not answer. So each part of the stop has
 * its own share: tailscaled is always sent SIGTERM and has `stopGrace` before it is killed; steps that are quick unless
 * they hang have `stopShare`: the reconcilers, and everything after tailscaled.
 */
export function stopper({ log, clock, timings }: Parts): Stopper {
  const steps = new Map<StopStage, StopStep[]>()
  return {
    at: (stage, step) => steps.set(stage, [...(steps.get(stage) ?? []), step]),
    run: async (reason, force) => {
      const early = clock.timeout(timings.stopBudget - timings.stopGrace)
      let late: AbortSignal | undefined
      for (const stage of stopStages) {
        if (stage === 'stopping tailscaled') late = clock.timeout(timings.stopGrace)
        if (stage === 'clearing the old identity') late = clock.timeout(timings.stopShare)
        const shares = [
          late ?? early,
          ...(stage === 'waiting for the reconcilers' ? [clock.timeout(timings.stopShare)] : []),
        ]
        const cleansUp = stopStages.indexOf(stage) > stopStages.indexOf('stopping tailscaled')
        const deadline = AbortSignal.any([...(cleansUp ? [] : [force]), ...shares])
        const over = aborted(deadline)
          .then(() => clock.sleep(reportMs))
          .then(() => Promise.reject(new Error('it takes too long; going on without it')))
        over.catch(() => {})
        for (const step of steps.get(stage) ?? []) {
          try {
            const done = step(deadline, reason)
            // tailscaled always ends, since it is killed; the steps after it must wait for that.
            await (stage === 'stopping tailscaled' ? done : Promise.race([done, over]))
          } catch (error) {
            log(stopping.stageFailed({ stage, problem: error }))
          }
        }
      }
    },
  }
}
