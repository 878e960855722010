import type { Api } from '../../kube/controller/api.ts'
import { type Controller, controller, type Flight, type Trigger } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import { finalize, type FinalizeOptions } from '../../kube/controller/finalize.ts'
import { type KubeObject, nameOf } from '../../kube/controller/object.ts'
import { describe } from '../../lib/errors.ts'
import type { ControllerParts } from '../controller-parts.ts'
import type { Kind, Plan, Refused } from '../kind.ts'
import type { Condition } from '../objects/conditions.ts'
import { annotationEvents } from '../objects/ignored.ts'
import { finalizer, labels, type ParentType } from '../objects/names.ts'
import type { Parent } from '../objects/parent.ts'
import { unseenMs } from '../world/caches.ts'
import { manager } from '../world/followed.ts'
import { adopting } from './adopt.ts'
import { approvals } from './approval.ts'
import type { ResolveClass } from './class.ts'
import { soonest } from './each.ts'
import { asksGroup, isHeldByGroup } from './group.ts'
import { explained } from './explained.ts'
import { deleting, deletion, toldOfWaiting } from './waiting.ts'
import { presentName } from './name.ts'
import { hasAny, presentFor, unlessTaken } from './owned.ts'
import { provisioner } from './provision.ts'
import { removal } from './remove.ts'
import { parentWriter } from './report.ts'
import type { ProxyRequest } from './request.ts'
import type { Tailnet } from './keying.ts'
import { devicesOf } from './seen.ts'
import { sourcesFor, triggersFor } from './triggers.ts'

export type EngineOptions = ControllerParts & {
  readonly api: Pick<Api, 'page' | 'get' | 'patch' | 'delete'>
  readonly tailnet: Tailnet
  readonly resolveClass: ResolveClass
  /** What objects of one resource can ask for, and what its objects are called in labels. */
  readonly type: ParentType
  readonly kinds: readonly [Kind, ...Kind[]]
  /** Which objects are this one's; undefined: all are. */
  readonly has?: (key: string) => boolean
  /** The others are those of further shards. */
  readonly shard: number
}

/**
 * Brings the proxies into being that objects of one resource ask for, tells in the objects what became of them, and
 * takes them away when they are no longer asked for.
 */
export function proxies(options: EngineOptions): Controller {
  const { api, caches, applier, tell, settings, type, kinds, has, shard, clock, problem } = options
  const { world } = caches
  const { resource } = kinds[0]
  const store = caches.store(resource)
  const { removeAll, ...removing } = removal({ ...options, prune: applier.prune })
  const apply = adopting(api, caches, applier.apply)
  const provision = provisioner({ ...options, prune: applier.prune, apply, world, ...removing })
  const look = approvals(options)
  const writer = parentWriter({ api, resource, store, apply: applier.apply, clock, isShared: settings.shards > 1 })

  const kindOf = (object: KubeObject): Kind | undefined => kinds.find((kind) => kind.claims(object, world, settings))
  const parentFor = ({
    namespace = '',
    name,
  }: {
    readonly namespace?: string | undefined
    readonly name: string
  }): Parent => ({ type, namespace, name })

  const report = async (
    kind: Kind,
    object: KubeObject,
    { name, refused, ignored = [], routes = [] }: Outcome,
    flight: Flight,
  ): Promise<number | undefined> => {
    const devices = name === undefined ? [] : devicesOf(world, parentFor(object.metadata), name)
    const { unapproved, again } = await look(routes, devices, flight.signal)
    const seen = { devices, name, refused, unapproved }
    const { status, events = [], patch, ...rest } = kind.report(object, seen, world, settings)
    const conditions = withReason(rest.conditions, refused)
    await writer.status(object, status, [...conditions, ...lacking(conditions, ignored)], flight)
    if (patch !== undefined) await writer.patch(object, patch, flight)
    const refusals = refusal(refused)
    const waits = refusals.length > 0 ? { events: [] } : toldOfWaiting(object, conditions, refused, clock.date())
    for (const event of [...events, ...refusals, ...waits.events]) await tell(object, event)
    return soonest([again, waits.again])
  }

  const told = <T>(object: KubeObject, flight: Flight, action: () => Promise<T>): Promise<T> => {
    const tellAll = async (refused: Refused): Promise<void> => {
      const kind = kindOf(object)
      if (kind === undefined) for (const event of refusal(refused)) await tell(object, event)
      else await report(kind, object, { name: presentName(world, parentFor(object.metadata)), refused }, flight)
    }
    return explained(action, 'ProxyFailed', tellAll, flight.signal)
  }

  const finalized = (object: KubeObject, flight: Flight, more: Partial<FinalizeOptions<KubeObject>>) => {
    const cleanup = async (present: KubeObject) => {
      const parent = parentFor(present.metadata)
      if (await removeAll(parent, present, flight)) return true
      const kind = kindOf(present)
      if (kind === undefined || present.metadata.deletionTimestamp === undefined) return false
      const outcome = { name: presentName(world, parent), refused: deletion(world, parent) }
      return againAfter(await report(kind, present, outcome, flight))
    }
    return finalize(
      api,
      object,
      {
        resource,
        store,
        finalizer,
        manager,
        apply: async () => {},
        cleanup: (present) => told(present, flight, () => cleanup(present)),
        ...more,
      },
      flight,
    )
  }

  /** The object has no proxies of its own, or no longer. */
  const released = async (object: KubeObject, kind: Kind | undefined, flight: Flight) => {
    const { finalizers, deletionTimestamp } = object.metadata
    const parent = parentFor(object.metadata)
    if (finalizers?.includes(finalizer) === true && !isHeldByGroup(object, parent, world))
      return finalized(object, flight, { isReleased: true })
    if (hasAny(world, parent)) await told(object, flight, () => removeAll(parent, object, flight))
    else if (deletionTimestamp === undefined && !asksGroup(object)) {
      if (kind !== undefined) return againAfter(await report(kind, object, { name: undefined }, flight))
      await writer.status(object, {}, [], flight)
    }
    return {}
  }

  const provisioned = async (
    object: KubeObject,
    kind: Kind,
    plan: Plan,
    request: ProxyRequest,
    flight: Flight,
  ): Promise<{ readonly again?: number }> => {
    const parent = parentFor(object.metadata)
    const outcome = await told(object, flight, () =>
      provision(object, parent, plan, request, flight).catch((error: unknown) => ({
        ...unlessTaken(error),
        name: presentName(world, parent),
      })),
    )
    const routes = request.device.AdvertiseRoutes ?? []
    return againAfter(outcome.again, await report(kind, object, { ...outcome, routes }, flight))
  }

  return controller({
    name: `proxies of ${resource.plural}${shard === 0 ? '' : ` in shard ${shard}`}`,
    sources: sourcesFor(caches, kinds),
    triggers: triggersFor(caches, type, kinds, settings).map((all) => (has === undefined ? all : within(all, has))),
    concurrency: settings.concurrency,
    clock,
    problem,
    reconcile: async (key, flight) => {
      if (!world.follows(key)) return { again: unseenMs }
      const object = store.get(key)
      if (object === undefined) {
        const parent = parentFor(nameOf(key))
        // Labels of what was made for it have a long name cut, and its own key has its turn.
        if (presentFor(world, parent) === undefined) await removeAll(parent, undefined, flight)
        return
      }
      if (object.metadata.deletionTimestamp !== undefined) return released(object, undefined, flight)
      const kind = kindOf(object)
      for (const other of kinds) {
        // A group leaves the Service as it found it when it is released from there.
        const patch = other === kind || asksGroup(object) ? undefined : other.release?.(object, settings)
        // What follows is for the object as it is then.
        if (patch !== undefined && (await writer.patch(object, patch, flight))) return {}
      }
      // Nobody else would tell of a switch that is misspelt.
      const isOurs = object.metadata.labels?.[labels.managed] === 'true'
      const events = kind === undefined && !isOurs ? annotationEvents(object) : []
      const plan = kind?.plan(object, world, settings)
      const request = plan?.proxies
      for (const event of plan?.events ?? events) await tell(object, event)
      if (kind === undefined || plan === undefined || request === undefined) return released(object, kind, flight)
      return finalized(object, flight, { apply: (present) => provisioned(present, kind, plan, request, flight) })
    },
    refuse: async (key, error, flight) => {
      const object = store.get(key)
      const kind = object && kindOf(object)
      if (object === undefined || kind === undefined) return
      const refused: Refused = {
        as: environmental.has(error.reason) ? 'failed' : 'invalid',
        reason: error.reason,
        message: describe(error),
      }
      await report(kind, object, { name: presentName(world, parentFor(object.metadata)), refused }, flight)
    },
  })
}

/** Of what a trigger tells, only these keys. */
const within = ({ listen }: Trigger, has: (key: string) => boolean): Trigger => ({
  listen: (changed) => listen((keys, initial) => changed([...keys].filter(has), initial)),
})

type Outcome = {
  readonly name: string | undefined
  readonly refused?: Refused | undefined
  readonly ignored?: readonly string[]
  /** What its nodes are to offer, which may need an approval. */
  readonly routes?: readonly string[]
}

const againAfter = (...waits: readonly (number | undefined)[]): { readonly again?: number } => {
  const again = soonest(waits)
  return again === undefined ? {} : { again }
}

/** Reasons of what is not the fault of the object itself. */
export const environmental: ReadonlySet<string> = new Set(['PodSecurity', 'ProxyClassInvalid'])

/** What has to be waited for is told when it lasts. */
export const refusal = (refused: Refused | undefined): readonly Event[] =>
  refused === undefined || waitedFor.has(refused.reason)
    ? []
    : [{ type: 'Warning', reason: refused.reason, message: refused.message }]
const waitedFor: ReadonlySet<string> = new Set(['ProxyPodNotStarted', 'ProxyRemoved', deleting])

/** An object that is being deleted is told from one that comes. */
const withReason = (conditions: readonly Condition[], refused: Refused | undefined): readonly Condition[] =>
  refused?.reason === deleting ? conditions.map((one) => ({ ...one, reason: deleting })) : conditions

/** A condition for options that the agent does not have; objects without conditions get none. */
const lacking = (conditions: readonly Condition[], ignored: readonly string[]): readonly Condition[] =>
  ignored.length === 0 || conditions.length === 0
    ? []
    : [
        {
          type: 'CulvertOptionsApplied',
          status: 'False',
          reason: 'NotSupportedByAgent',
          message: `the image of the proxies has Tailscale’s agent, which does not know: ${ignored.join(', ')}`,
        },
      ]
