import { describe } from '../../../lib/errors.ts'
import { bootClock, type ElectionOptions } from './elect.ts'
import { leases, viewOf } from './lease.ts'

export type WitnessOptions = Pick<ElectionOptions, 'api' | 'name' | 'times' | 'problem' | 'clock'> & {
  readonly plan: string
}

/** What is known of the plan that a Lease declares, for leaders that do not hold it. */
export type Witness = {
  /**
   * For how many milliseconds the plan has been the one that is declared and settled; undefined: it is not, or that was
   * not seen for so long that others may work by another one.
   */
  readonly agrees: () => number | undefined
  /** Another plan that was declared when it was last looked. */
  readonly other: () => string | undefined
  /** Has `look` called whenever it was looked, or could not be. */
  readonly listen: (look: () => void) => void
}

/**
 * Looks at what a Lease declares, until `signal` aborts. A plan that was seen counts from when the request was sent, for
 * as long as a renewal does: whoever declares another plan waits for longer than that before it is settled.
 */
export function witness(options: WitnessOptions, signal: AbortSignal): Witness {
  const { api, name, times, plan, problem, clock = bootClock } = options
  const listeners = new Set<() => void>()
  let since: number | undefined
  let until = Number.NEGATIVE_INFINITY
  let other: string | undefined
  let failure: string | undefined
  const tell = (text: string | undefined): void => {
    if (text !== failure) problem('reading', text)
    failure = text
  }

  const look = async (): Promise<void> => {
    const sent = clock.now()
    const limit = AbortSignal.any([signal, clock.timeout(Math.ceil(times.deadline / 2))])
    const lease = await api.get(leases, name, limit)
    tell(undefined)
    const view = lease && viewOf(lease)
    // One that is absent may have been deleted, one that is new may have been emptied: they say nothing.
    if (view === undefined || (view.holder === undefined && view.transitions === undefined)) return
    const { declared } = view
    if (declared.isSpoilt) return
    other = declared.plan === plan ? undefined : declared.plan
    const isSettled = other === undefined && declared.isSettled
    if (!isSettled || sent > until) since = isSettled ? clock.now() : undefined
    until = isSettled ? sent + times.deadline : Number.NEGATIVE_INFINITY
  }

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await look().catch((error: unknown) => {
        if (!signal.aborted) tell(describe(error))
      })
      for (const listener of listeners) listener()
      await clock.sleep(times.retry, signal)
    }
  }
  void run()

  return {
    agrees: () => (since !== undefined && clock.now() < until ? clock.now() - since : undefined),
    other: () => other,
    listen: (listener) => void listeners.add(listener),
  }
}
