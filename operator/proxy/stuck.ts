import * as z from 'zod/mini'
import type { Api } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import { isJsonObject, optional } from '../../lib/json.ts'
import { pods } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { allowance } from './allowance.ts'
import { isObserved, podsOf } from './seen.ts'
import { isReady } from './state.ts'
import { troubleOf } from './trouble.ts'

export type StuckOptions = {
  readonly api: Pick<Api, 'get'>
  readonly world: Pick<World, 'get'>
  readonly prune: Applier['prune']
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly clock: Clock
}

/** A StatefulSet's policy, which can be set only once; undefined if there is none yet. */
export function policyOf(set: KubeObject | undefined): unknown {
  const spec = set?.['spec']
  return isJsonObject(spec) ? spec['podManagementPolicy'] : undefined
}

/**
 * Gives what deletes a Pod that keeps a StatefulSet from rolling out a corrected template. One that makes its Pods in
 * order waits for each to become ready, also for one of an earlier template that never will. For each, as often as there
 * are replicas, then once in 30 s; gives the milliseconds until the next.
 */
export function replacesStuck({ api, world, prune, tell, clock }: StuckOptions) {
  const limit = allowance(clock)
  return async (
    parent: KubeObject | undefined,
    set: KubeObject,
    replicas: number,
    flight: Flight,
  ): Promise<number | undefined> => {
    const stuck = podsOf(world, set, replicas).find((pod) => isStuck(set, pod))
    if (stuck === undefined) return undefined
    const wait = limit.wait(keyOf(set.metadata), replicas)
    if (wait > 0) return wait
    // The cache may be behind.
    const present = await api.get(pods, stuck.metadata, flight.signal)
    if (present === undefined || !isStuck(set, present)) return undefined
    await prune([present], [], flight)
    limit.count(keyOf(set.metadata))
    const message = `Pod ${present.metadata.name} was deleted, since it does not start, and its template has been corrected: its StatefulSet would wait for it`
    if (parent !== undefined) await tell(parent, { type: 'Normal', reason: 'ProxyPodReplaced', message })
    return undefined
  }
}

const revision = z.object({ updateRevision: optional(z.string()) })

function isStuck(set: KubeObject, pod: KubeObject): boolean {
  if (policyOf(set) !== 'OrderedReady' || !isObserved(set)) return false
  const wanted = z.safeParse(revision, set['status']).data?.updateRevision
  const { labels, deletionTimestamp } = pod.metadata
  const isOutdated = Boolean(wanted) && labels?.['controller-revision-hash'] !== wanted
  const isAbsent = deletionTimestamp !== undefined || isReady(pod)
  return isOutdated && !isAbsent && (troubleOf(pod) !== undefined || !wasReady(pod))
}

const conditions = z.object({
  conditions: optional(z.array(z.object({ type: z.string(), lastTransitionTime: optional(z.string()) }))),
})

/** A Pod is not ready from the moment when kubelet first sees it, before its containers can start. */
function wasReady({ status }: KubeObject): boolean {
  const { data } = z.safeParse(conditions, status)
  const timeOf = (wanted: string): number =>
    Date.parse(data?.conditions?.find(({ type }) => type === wanted)?.lastTransitionTime ?? '')
  return timeOf('Ready') > timeOf('Initialized')
}
