import type { Api } from '../../kube/controller/api.ts'
import { type Controller, controller, type Flight, isStale, UserError } from '../../kube/controller/controller.ts'
import { finalize } from '../../kube/controller/finalize.ts'
import { type KubeObject, nameOf } from '../../kube/controller/object.ts'
import { describe } from '../../lib/errors.ts'
import type { ControllerParts } from '../controller-parts.ts'
import { findGroup, type Group } from '../group/group.ts'
import { restore, rewrite } from '../l3-egress/rewrite.ts'
import { annotationEvents, groupEgressUse } from '../objects/ignored.ts'
import { finalizer } from '../objects/names.ts'
import type { Parent } from '../objects/parent.ts'
import { services } from '../objects/resources.ts'
import { adopting } from '../proxy/adopt.ts'
import { asksGroup, asksGroupEgress } from '../proxy/group.ts'
import { soonest } from '../proxy/each.ts'
import { toldOfWaiting } from '../proxy/waiting.ts'
import { presentFor } from '../proxy/owned.ts'
import { newName } from '../proxy/name.ts'
import { parentWriter } from '../proxy/report.ts'
import { unseenMs } from '../world/caches.ts'
import { manager } from '../world/followed.ts'
import { ranges } from './allocate.ts'
import { allocator } from './allocator.ts'
import { asBefore, type ClusterService, clusterService, entryOf, isInGroupFor, servicesFor } from './cluster-service.ts'
import { hasOurConditions, type Problem } from './conditions.ts'
import { agentOfGroup } from './files.ts'
import { leaver } from './leave.ts'
import { replicasIn } from './replicas.ts'
import { type EgressRequest, readRequest } from './request.ts'
import { type Outcome, report } from './report.ts'
import { hasSlices, slices, slicesFor } from './slices.ts'
import { sourcesFor, triggersFor } from './triggers.ts'

export type GroupEgressOptions = ControllerParts & {
  readonly api: Pick<Api, 'get' | 'patch'>
  /** The engine of proxies of their own, which has the same finalizer. */
  readonly standalone: {
    readonly claims: (service: KubeObject) => boolean
    /** Whether something is left of such proxies. */
    readonly hasAny: (parent: Parent) => boolean
  }
}

/** What depends on others, which do not tell when that changes: milliseconds until the next look. */
const againMs = 30_000

/**
 * Leads Services that ask for an egress group to its Pods: makes a ClusterIP Service for each and its EndpointSlices,
 * makes the user's Service another name of it, says how it stands, and takes all of it away again. What the Pods forward
 * follows from the ClusterIP Services, and is written by the controller of groups.
 */
export function groupEgress(options: GroupEgressOptions): Controller {
  const { api, caches, applier, tell, settings, standalone, clock, problem } = options
  const { world } = caches
  const store = caches.store(services)
  const apply = adopting(api, caches, applier.apply)
  const isShared = settings.shards > 1
  const writer = parentWriter({ api, resource: services, store, apply: applier.apply, clock, isShared })
  const places = allocator(world, clock)
  const movesFrom = leaver(world, clock)

  const parentFor = ({ namespace = '', name }: { readonly namespace?: string | undefined; readonly name: string }) =>
    ({ type: 'svc', namespace, name }) as const

  const tellAll = async (object: KubeObject, outcome: Outcome, flight: Flight) => {
    const { conditions, events } = report(object, outcome, world, settings)
    await writer.status(object, {}, conditions, flight)
    const { again, events: late } = toldOfWaiting(object, conditions, undefined, clock.date())
    for (const event of [...events, ...late]) await tell(object, event)
    return again === undefined ? {} : { again }
  }

  /** Takes away what was made for a Service; gives true once nothing is left. */
  const remove = async (parent: Parent, flight: Flight): Promise<boolean> => {
    const all = [...servicesFor(world, parent).map(({ object }) => object), ...slicesFor(world, parent)]
    await applier.prune(all, [], flight)
    return all.length === 0
  }

  /** The Service does not ask for a group, or not any more. */
  const released = async (object: KubeObject, flight: Flight): Promise<void> => {
    const parent = parentFor(object.metadata)
    if (!(await remove(parent, flight))) return
    const { finalizers, deletionTimestamp } = object.metadata
    // Of an object that asks for no group, the engine says how it stands, and makes it what it was before.
    if (deletionTimestamp === undefined && asksGroup(object)) {
      const before = restore(object, settings)
      if (before !== undefined && (await writer.patch(object, before, flight))) return
      if (hasOurConditions(object)) await writer.status(object, {}, [], flight)
    }
    if (finalizers?.includes(finalizer) !== true || standalone.hasAny(parent)) return
    if (deletionTimestamp === undefined && standalone.claims(object)) return
    const nothing = { apply: async () => {}, cleanup: async () => true, isReleased: true }
    await finalize(api, object, { resource: services, store, finalizer, manager, ...nothing }, flight)
  }

  /** Keeps the EndpointSlices of a ClusterIP Service as its Pods are. */
  const follow = async (service: ClusterService, parent: Parent, flight: Flight) => {
    const stands = (one: ClusterService) => {
      const wanted = findGroup(world, one.group, settings)
      const replicas = replicasIn(world, settings.namespace, one.group, 'missing' in wanted ? 0 : wanted.replicas)
      return { service: one, entry: entryOf(one, world, settings), replicas }
    }
    const { entry, replicas } = stands(service)
    const before = asBefore(service)
    const all = slices(service, entry, replicas, before && stands(before))
    for (const slice of all) await apply(slice, flight, { owns: (other) => isInGroupFor(parent, other) })
    return all
  }

  /**
   * Brings what a Service asks for into the cluster, one thing after the other: each write is an event. False: it goes
   * on when the cache shows what was written; otherwise, `again`: milliseconds until it goes on by itself.
   */
  const provision = async (
    object: KubeObject,
    parent: Parent,
    request: EgressRequest,
    group: Group,
    flight: Flight,
  ): Promise<false | { readonly again?: number }> => {
    const all = servicesFor(world, parent)
    const present = all.find((one) => one.group === group.name) ?? all[0]
    const name = present?.object.metadata.name ?? newName(object.metadata, 'egress')
    const surplus = all.filter((one) => one !== present).map((one) => one.object)
    await applier.prune(surplus, [], flight)
    const range = ranges[agentOfGroup(group, world, settings)]
    const { target, allowFrom, ports } = request
    const { former, again } = movesFrom(present, group.name)
    const there = present?.former?.group === group.name ? asBefore(present) : present
    const asked = { parent, uid: object.metadata.uid ?? '', present: there, group: group.name, ports, range }
    const { namespace } = settings
    const written = await places.place(asked, (place) =>
      apply(
        clusterService({ ...place, name, parent, group: group.name, target, allowFrom, former, ports, namespace }),
        flight,
        {
          owns: (other) => isInGroupFor(parent, other),
        },
      ),
    )
    if (written === 'written' || present === undefined) return false
    const planned = await follow(present, parent, flight)
    await applier.prune(slicesFor(world, parent), planned, flight)
    if (!hasSlices(world, present)) return false
    await writer.patch(object, rewrite(object, name, settings), flight)
    return again === undefined ? {} : { again }
  }

  /** What is there stays as it was, and goes on following the Pods. */
  const refused = async (object: KubeObject, outcome: Outcome, flight: Flight): Promise<void> => {
    const parent = parentFor(object.metadata)
    const planned: KubeObject[] = []
    for (const service of servicesFor(world, parent)) planned.push(...(await follow(service, parent, flight)))
    await applier.prune(slicesFor(world, parent), planned, flight)
    await tellAll(object, outcome, flight)
  }

  const provisioned = async (
    object: KubeObject,
    request: EgressRequest,
    group: Group,
    flight: Flight,
  ): Promise<{ readonly again?: number }> => {
    let again: number | undefined
    try {
      const done = await provision(object, parentFor(object.metadata), request, group, flight)
      if (done === false) return {}
      again = done.again
    } catch (error) {
      if (isStale(error) || flight.signal.aborted) throw error
      const outcome = { failed: describe(error), request }
      if (error instanceof UserError) {
        await refused(object, outcome, flight)
        return { again: againMs }
      }
      await tellAll(object, outcome, flight)
      throw error
    }
    const told = await tellAll(object, { request }, flight)
    const next = soonest([again, told.again])
    return next === undefined ? {} : { again: next }
  }

  return controller({
    name: 'egress through groups',
    sources: sourcesFor(caches),
    triggers: triggersFor(caches, settings),
    concurrency: settings.concurrency,
    clock,
    problem,
    reconcile: async (key, flight) => {
      if (!world.follows(key)) return { again: unseenMs }
      const object = store.get(key)
      if (object === undefined) {
        const parent = parentFor(nameOf(key))
        // Labels of what was made for it have a long name cut, and its own key has its turn.
        if (presentFor(world, parent) === undefined) await remove(parent, flight)
        return
      }
      if (object.metadata.deletionTimestamp !== undefined || !asksGroupEgress(object)) return released(object, flight)
      for (const event of annotationEvents(object, groupEgressUse)) await tell(object, event)
      const found = demand(object)
      if ('problem' in found) return refused(object, found, flight)
      const { request, group } = found
      return finalize(
        api,
        object,
        {
          resource: services,
          store,
          finalizer,
          manager,
          apply: (present) => provisioned(present, request, group, flight),
          cleanup: async () => false,
        },
        flight,
      )
    },
    refuse: async (key, error) => problem(key, error.message),
  })

  /** What a Service asks of which group, or why it cannot have it now. */
  function demand(
    object: KubeObject,
  ): { readonly request: EgressRequest; readonly group: Group } | { problem: Problem } {
    try {
      const request = readRequest(object)
      const group = findGroup(world, request.group, settings)
      if ('missing' in group) return { problem: { reason: 'ProxyGroupNotReady', message: group.missing } }
      if (group.type === 'egress') return { request, group }
      const message = `ProxyGroup "${group.name}" has the type ${group.type}: a target in the tailnet needs one of the type egress`
      return { problem: { reason: 'EgressSvcInvalid', message } }
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      return { problem: { reason: 'EgressSvcInvalid', message: describe(error) } }
    }
  }
}
