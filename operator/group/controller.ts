import type { Api } from '../../kube/controller/api.ts'
import { type Controller, controller, type Flight } from '../../kube/controller/controller.ts'
import { finalize, type FinalizeOptions } from '../../kube/controller/finalize.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { describe } from '../../lib/errors.ts'
import { isJsonObject } from '../../lib/json.ts'
import type { ControllerParts } from '../controller-parts.ts'
import type { Refused } from '../kind.ts'
import { finalizer } from '../objects/names.ts'
import { proxyGroups, secrets } from '../objects/resources.ts'
import { adopting } from '../proxy/adopt.ts'
import type { ResolveClass } from '../proxy/class.ts'
import { soonest } from '../proxy/each.ts'
import { environmental } from '../proxy/engine.ts'
import { explained } from '../proxy/explained.ts'
import type { Tailnet } from '../proxy/keying.ts'
import { unlessTaken } from '../proxy/owned.ts'
import { removal } from '../proxy/remove.ts'
import { parentWriter } from '../proxy/report.ts'
import { deletion, toldOfWaiting } from '../proxy/waiting.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { notManaged } from '../unmanaged/unmanaged.ts'
import { manager } from '../world/followed.ts'
import { type Group, parentOfGroup, readGroup, replicasAskedBy, typeOf } from './group.ts'
import { groupProvisioner, type Provisioned } from './provision.ts'
import { replicasOf } from './replicas.ts'
import { available, groupReport, ready } from './report.ts'
import { sourcesFor, triggersFor } from './triggers.ts'
import type { GroupUse } from './use.ts'

export type GroupsOptions = ControllerParts & {
  readonly api: Pick<Api, 'page' | 'get' | 'patch' | 'delete'>
  readonly tailnet: Tailnet
  readonly resolveClass: ResolveClass
  readonly uses: readonly GroupUse[]
}

/** Brings groups of proxies into the cluster, tells how they stand, and takes them away. */
export function groups(options: GroupsOptions): Controller {
  const { api, caches, applier, tell, settings, uses, clock, problem } = options
  const { world } = caches
  const store = caches.store(proxyGroups)
  const { removeAll, removeSecrets } = removal({ ...options, prune: applier.prune })
  const apply = adopting(api, caches, applier.apply)
  const writing = { api, apply: applier.apply, clock }
  const writer = parentWriter({ ...writing, resource: proxyGroups, store })
  const ofSecrets = parentWriter({ ...writing, resource: secrets, store: caches.store(secrets) })
  const provision = groupProvisioner({
    ...options,
    world,
    apply,
    prune: applier.prune,
    removeSecrets,
    disown: (secret, flight) => ofSecrets.patch(secret, { metadata: { ownerReferences: null } }, flight),
  })

  const useOf = (object: KubeObject): GroupUse | undefined => uses.find(({ type }) => type === typeOf(object))

  /** Gives milliseconds after which to tell more. */
  const report = async (
    object: KubeObject,
    refused: Refused | undefined,
    flight: Flight,
  ): Promise<number | undefined> => {
    const shape = { name: object.metadata.name, replicas: replicasAskedBy(object) }
    const group = readOrNothing(object, settings)
    const more = group && useOf(object)?.report?.({ group, world, settings })
    const { status, conditions } = groupReport(replicasOf(world, shape, settings.namespace), refused, more?.lack)
    await writer.status(object, { ...status, ...more?.status }, [...conditions, ...(more?.conditions ?? [])], flight)
    if (refused !== undefined && refused.as !== 'pending') {
      await tell(object, { type: 'Warning', reason: refused.reason, message: refused.message })
      return undefined
    }
    const { events, again } = toldOfWaiting(object, conditions, refused, clock.date())
    for (const event of events) await tell(object, event)
    return again
  }

  /** Nothing is made for the object, and nothing of it is removed. */
  const leave = async (object: KubeObject, flight: Flight): Promise<void> => {
    const { conditions: all, events } = notManaged(object, whatOf(object), [ready, available], left)
    const reason = isElsewhere(object) ? 'ProxyGroupTailnetUnavailable' : 'NotManaged'
    const conditions = all.map((one) => (one.type === ready ? { ...one, reason } : one))
    await writer.status(object, {}, conditions, flight)
    for (const event of events) await tell(object, event)
  }

  const told = <T>(object: KubeObject, flight: Flight, action: () => Promise<T>): Promise<T> =>
    explained(action, 'ProxyGroupCreationFailed', (refused) => report(object, refused, flight), flight.signal)

  const bring = async (object: KubeObject, use: GroupUse, flight: Flight): Promise<Provisioned> => {
    const group = readGroup(object, settings)
    const outcome = await told(object, flight, () =>
      provision({ group, world, settings }, use, flight).catch(unlessTaken),
    )
    const again = await report(object, outcome.refused, flight)
    return { ...outcome, again: soonest([outcome.again, again]) }
  }

  const finalized = (object: KubeObject, flight: Flight, applied: FinalizeOptions<KubeObject>['apply']) => {
    const cleanup = async (present: KubeObject) => {
      const parent = parentOfGroup(present.metadata.name)
      if (await removeAll(parent, present, flight)) return true
      const again = await report(present, deletion(world, parent), flight)
      return again === undefined ? {} : { again }
    }
    return finalize(
      api,
      object,
      {
        resource: proxyGroups,
        store,
        finalizer,
        manager,
        apply: applied,
        cleanup: (present) => told(present, flight, () => cleanup(present)),
      },
      flight,
    )
  }

  return controller({
    name: 'groups of proxies',
    sources: sourcesFor(caches, uses),
    triggers: triggersFor(caches, uses, settings),
    concurrency: settings.concurrency,
    clock,
    problem,
    reconcile: async (key, flight) => {
      const object = store.get(key)
      if (object === undefined) return void (await removeAll(parentOfGroup(key), undefined, flight))
      const use = useOf(object)
      if (use === undefined || isElsewhere(object)) return leave(object, flight)
      return finalized(object, flight, async (present) => {
        const { again } = await bring(present, use, flight)
        return again === undefined ? {} : { again }
      })
    },
    refuse: async (key, error, flight) => {
      const object = store.get(key)
      if (object === undefined) return
      const as = environmental.has(error.reason) ? 'failed' : 'invalid'
      const refused: Refused = { as, reason: error.reason, message: describe(error) }
      await report(object, refused, flight)
    },
  })
}

const left = 'Proxies that Tailscale’s operator made for it stay, and nobody looks after them.'

function whatOf(object: KubeObject): string {
  if (isElsewhere(object)) return 'groups of another tailnet than the default one'
  return `groups of the type ${typeOf(object) ?? 'that this one names'}`
}

/** It is to join another tailnet, for which this operator has no credentials. */
function isElsewhere({ spec }: KubeObject): boolean {
  return isJsonObject(spec) && typeof spec['tailnet'] === 'string' && spec['tailnet'] !== ''
}

function readOrNothing(object: KubeObject, settings: OperatorSettings): Group | undefined {
  try {
    return readGroup(object, settings)
  } catch {
    return undefined
  }
}
