import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Refused } from '../kind.ts'
import type { Condition } from '../objects/conditions.ts'
import { conditionsOf } from './report.ts'

/** Reasons of conditions that mostly pass by themselves, such as while a Pod starts. */
const passing: ReadonlySet<string> = new Set(['ProxyPending', 'ConnectorCreating', 'NotReadyToRouteTraffic'])
const lastingMs = 60_000

/**
 * What there is to tell of an object that has been waiting for a minute: an Event. Until then `again`, the milliseconds
 * until that. `conditions` are those of now, and the object has those before.
 */
export function toldOfWaiting(
  object: KubeObject,
  conditions: readonly Condition[],
  refused: Refused | undefined,
  now: Date,
): { readonly events: readonly Event[]; readonly again?: number } {
  const waiting = conditions.find(({ status, reason }) => status === 'False' && passing.has(reason))
  if (waiting === undefined) return { events: [] }
  const before = conditionsOf(object).find(({ type, status }) => type === waiting.type && status === 'False')
  const since = Date.parse(before?.lastTransitionTime ?? '')
  const left = Number.isNaN(since) ? lastingMs : since + lastingMs - now.getTime()
  if (left > 0) return { events: [], again: left }
  const reason = refused?.reason === 'ProxyPodNotStarted' ? refused.reason : waiting.reason
  return { events: [{ type: 'Warning', reason, message: waiting.message }] }
}
