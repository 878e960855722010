import type { Clock } from '../../lib/clock.ts'
import type { Event } from '../../kube/controller/events.ts'
import type { Refused } from '../kind.ts'
import { lastingMs } from '../proxy/waiting.ts'
import { refusal } from '../proxy/engine.ts'

/** What there is to tell now; until then `again`, the milliseconds after which that may be another. */
export type Told = { readonly event?: Event; readonly again?: number }

/**
 * Gives what is asked each time how the proxy stands, and tells what is to be told of that: at once what keeps it from
 * being made, and what mostly passes by itself, such as while its Pod starts, once it has lasted for a minute.
 */
export function telling(clock: Pick<Clock, 'now'>): (refused: Refused | undefined) => Told {
  let since: number | undefined
  return (refused) => {
    if (refused === undefined) since = undefined
    if (refused === undefined) return {}
    const [event] = refusal(refused)
    since = event === undefined ? (since ?? clock.now()) : undefined
    const left = since === undefined ? 0 : since + lastingMs - clock.now()
    if (left > 0) return { again: left }
    return { event: event ?? { type: 'Warning', reason: refused.reason, message: refused.message } }
  }
}
