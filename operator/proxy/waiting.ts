import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Refused } from '../kind.ts'
import { some } from '../../lib/some.ts'
import type { Condition } from '../objects/conditions.ts'
import type { Parent } from '../objects/parent.ts'
import { pods } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { madeFor } from './owned.ts'
import { conditionsOf } from './report.ts'

/** Reasons of conditions that mostly pass by themselves, such as while a Pod starts. */
const passing: ReadonlySet<string> = new Set([
  'ProxyPending',
  'ConnectorCreating',
  'RecorderCreating',
  'ProxyGroupCreating',
  'NotReadyToRouteTraffic',
])
/** The reason, of conditions, too, of an object that is being deleted. */
export const deleting = 'Deleting'
export const lastingMs = 60_000

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
  // Not all kinds have conditions.
  const isDeleting = refused?.reason === deleting
  if (waiting === undefined && !isDeleting) return { events: [] }
  const before = conditionsOf(object).find(({ type, status }) => type === waiting?.type && status === 'False')
  const since = Date.parse((isDeleting ? object.metadata.deletionTimestamp : before?.lastTransitionTime) ?? '')
  const left = Number.isNaN(since) ? lastingMs : since + lastingMs - now.getTime()
  if (left > 0) return { events: [], again: left }
  const { reason, message } = waiting === undefined || toldAsSuch.has(refused?.reason ?? '') ? refused! : waiting
  return { events: [{ type: 'Warning', reason, message }] }
}

/** Of what keeps an object from being well, the reason is that of the Event, too. */
const toldAsSuch: ReadonlySet<string> = new Set(['ProxyPodNotStarted', deleting])

/** What an object that is being deleted waits for; a condition and, if it lasts, an Event tell it. */
export function deletion(world: World, parent: Parent): Refused {
  const ending = madeFor(world, parent, [pods]).map(({ metadata }) => `Pod ${metadata.name}`)
  const rest = ending.length === 0 ? 'what was made for it goes' : `waits for the end of ${some(ending)}`
  return { as: 'pending', reason: deleting, message: `it is being deleted: ${rest}` }
}
