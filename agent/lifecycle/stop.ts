import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { aborted } from '../../lib/timers.ts'
import type { Timings } from '../world/timings.ts'

/**
 * The steps of the stop, in their order: readiness falls; flows into the tailnet are reset while new ones are still
 * carried; sources and reconcilers rest; what is advertised is withdrawn; tailscaled has written its state, and ends; an
 * identity whose key was refused is removed; rules go after tailscaled, since flows go on while its device is there; the
 * endpoints answer until the end.
 */
export const stopStages = [
  'telling of the stop',
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

/** Ends something; `deadline` aborts when its time is over, after which it is not waited for. */
export type StopStep = (deadline: AbortSignal, reason: string) => unknown

export type Stopper = {
  /** Has `step` done at the stop, in its stage; those of one stage in the order in which they came. */
  readonly at: (stage: StopStage, step: StopStep) => void
  /**
   * Runs all steps, once, within the budget. A step that fails is logged, and the next ones are run. `force` ends the
   * steps up to tailscaled at once and kills that; the clean-up after it keeps its time, which is short anyway.
   */
  readonly run: (reason: string, force: AbortSignal) => Promise<void>
}

type Parts = { readonly log: Log; readonly clock: Clock; readonly timings: Timings }

/** A step that hears of its deadline has so long to say how far it came, in ms. */
const reportMs = 100

/**
 * What comes first may use up its time, as a Kubernetes API or a program that does not answer does. So each part of the
 * stop has a share of its own: tailscaled is always sent SIGTERM, and has `stopGrace` before it is killed; what is
 * quick unless it hangs has `stopShare`: the reconcilers, and all that comes after tailscaled.
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
          .then(() => Promise.reject(new Error('it takes too long, and is not waited for')))
        over.catch(() => {})
        for (const step of steps.get(stage) ?? []) {
          try {
            const done = step(deadline, reason)
            // Killed, tailscaled ends; what it has open must not be taken away before.
            await (stage === 'stopping tailscaled' ? done : Promise.race([done, over]))
          } catch (error) {
            log(`warning: ${stage}: ${describe(error)}`)
          }
        }
      }
    },
  }
}
