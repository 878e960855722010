import type { Clock } from '../../lib/clock.ts'
import { ApiError } from './error.ts'

/** Calls in a row that had no answer in time, after which the server is left alone for `restMs`. */
const most = 3
const restMs = 30_000
/** Longer than a call may take. */
const trialMs = 60_000

export type Breaker = {
  /** Sends a call, or rejects at once while the server is left alone. `action`: what it is, as in "… failed". */
  readonly call: <T>(action: string, send: () => Promise<T>, signal: AbortSignal) => Promise<T>
}

/**
 * Keeps calls of a server that does not answer from holding up whoever makes them: after some time-outs in a row, calls
 * fail at once; after a pause one is sent, and if that is answered all are. `suspended` is told when that changes.
 */
export function breaker(clock: Pick<Clock, 'now'>, suspended: (is: boolean) => void): Breaker {
  let late = 0
  let last: ApiError | undefined
  let until = Number.NEGATIVE_INFINITY

  const note = (now: number): void => {
    if (late < most !== now < most) suspended(now >= most)
    late = now
  }

  return {
    call: async (action, send, signal) => {
      if (late >= most && clock.now() < until) throw notSent(action, last)
      // The others wait for what becomes of this one.
      if (late >= most) until = clock.now() + trialMs
      try {
        const value = await send()
        note(0)
        return value
      } catch (error) {
        if (error instanceof ApiError && error.isLate) {
          last = error
          until = clock.now() + restMs
          note(late + 1)
        } else if (signal.aborted) until = Number.NEGATIVE_INFINITY
        else note(0)
        throw error
      }
    },
  }
}

/** The last error names another action: a text that changes would be told anew each time. */
const notSent = (action: string, last: ApiError | undefined): ApiError =>
  new ApiError(`Tailscale API: ${action} was not tried, since the last calls had no answer`, {
    problem: 'unavailable',
    remedy: last?.remedy,
  })
