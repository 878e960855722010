import type { Api } from '../kube/controller/api.ts'
import { type Applier, applier } from '../kube/controller/apply.ts'
import type { Controller } from '../kube/controller/controller.ts'
import { eventWriter } from '../kube/controller/events.ts'
import { keyOf, type KubeObject } from '../kube/controller/object.ts'
import type { ReflectOptions, Source } from '../kube/controller/reflect.ts'
import type { Resource } from '../kube/controller/resource.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { apiProxy } from './api-proxy/api-proxy.ts'
import { groupIngress } from './group-ingress/group-ingress.ts'
import type { ServiceApi } from './group-ingress/vips.ts'
import { groupEgress } from './group-egress/controller.ts'
import { egressPods } from './group-egress/pods.ts'
import { acmeAccountsOf } from './group/acme-accounts.ts'
import { groups } from './group/controller.ts'
import { groupFiles } from './group/files.ts'
import type { GroupUse } from './group/use.ts'
import { uses as allUses } from './group/uses.ts'
import { judging } from './judging.ts'
import type { Kind } from './kind.ts'
import { judged, kinds } from './kinds.ts'
import { events } from './log-events.ts'
import type { ParentType } from './objects/names.ts'
import type { Parent } from './objects/parent.ts'
import { connectors, ingresses, recorders, services } from './objects/resources.ts'
import { resolveClass } from './proxy-class/resolve.ts'
import { proxies } from './proxy/engine.ts'
import type { Tailnet } from './proxy/keying.ts'
import { hasAny } from './proxy/owned.ts'
import type { OperatorSettings } from './settings/settings.ts'
import { type Caches, caches as follow } from './world/caches.ts'
import { manager } from './world/followed.ts'
import type { World } from './world/world.ts'

/** What one leader works with: clients that have its gate, and which part of the work is its own. */
export type Share = {
  readonly api: Api
  readonly tailnet: Tailnet & ServiceApi
  /** Resolves when this process may act; until then it only follows the cluster. Undefined: it may from the start. */
  readonly elected?: Promise<void> | undefined
  /** Whether a Service or Ingress is its own, as far as that has proxies of its own. Undefined: all are. */
  readonly has?: (key: string) => boolean
}

export type Parts = Share & {
  /** Those of further shards. All that is not divided among shards is done by the first one. */
  readonly others?: readonly Share[]
  readonly settings: OperatorSettings
  readonly log: Log
  readonly clock: Clock
  /** Also log what is written. */
  readonly isVerbose?: boolean
  readonly waits?: ReflectOptions['waits']
  /** What groups can be for. */
  readonly uses?: readonly GroupUse[]
  /** As that of the caches. */
  readonly view?: ((object: KubeObject) => KubeObject) | undefined
}

export type Operator = {
  readonly controllers: readonly Controller[]
  readonly sources: () => readonly Source[]
  readonly caches: Pick<Caches, 'world' | 'written'>
}

type Parents = { readonly type: ParentType; readonly resource: Resource; readonly isDivided?: true }
const parents: readonly Parents[] = [
  { type: 'svc', resource: services, isDivided: true },
  { type: 'ingress', resource: ingresses, isDivided: true },
  { type: 'connector', resource: connectors },
  { type: 'recorder', resource: recorders },
]

/** Puts the operator together, which works until `signal` aborts. */
export function compose(parts: Parts, signal: AbortSignal): Operator {
  const { api, settings, log, waits, view, others = [] } = parts
  const problem = (what: string, text: string | undefined): void =>
    log(text === undefined ? events.well({ what }) : events.failed({ what, problem: text }))
  /** Why resources are not followed: mostly all for the same reason, which is told once. */
  const unfollowed = new Map<string, string>()
  const follows = (name: string, text: string | undefined): void => {
    const isKnown = text !== undefined && unfollowed.values().some((known) => known === text)
    if (text === undefined) unfollowed.delete(name)
    else unfollowed.set(name, text)
    if (!isKnown && (text !== undefined || unfollowed.size === 0)) problem(`following ${name}`, text)
  }
  const caches = follow(
    api,
    {
      namespace: settings.namespace,
      namespaces: settings.namespaces,
      problem: follows,
      failed: (error, key) => problem(key, `bug in the operator: ${String(error)}`),
      ...(waits && { waits }),
      view,
    },
    signal,
  )
  const controllers = [parts, ...others].flatMap((share, shard) =>
    controllersOf({ ...parts, ...share, shard, caches: caches.since(share.elected), problem }, signal),
  )
  return { controllers, sources: () => caches.sources(), caches }
}

type ShareParts = Parts & {
  readonly shard: number
  readonly caches: Caches
  readonly problem: (what: string, text: string | undefined) => void
}

/** The controllers of one shard. */
function controllersOf(
  { api, tailnet, has, shard, settings, log, clock, caches, problem, isVerbose = false, uses = allUses }: ShareParts,
  signal: AbortSignal,
): readonly Controller[] {
  const { apply, prune } = applier(api, manager, caches.written)
  const logged: Applier = {
    prune,
    apply: async (object, flight, options) => {
      const result = await apply(object, flight, options)
      if (isVerbose && result === 'written') log(events.wrote({ kind: object.kind, object: keyOf(object.metadata) }))
      return result
    },
  }
  const tell = eventWriter(
    api,
    { component: manager, clock, problem: (text) => problem('writing Events', text) },
    signal,
  )
  const common = { api, caches, applier: logged, tell, settings, clock, log }
  const told = (name: string) => (key: string, text: string | undefined) => problem(`${name} ${key}`, text)
  const ofParents = parents.flatMap(({ type, resource, isDivided }) => {
    const [first, ...rest] = kinds.filter((kind) => kind.resource === resource)
    if (first === undefined || (isDivided !== true && shard > 0)) return []
    const of: readonly [Kind, ...Kind[]] = [first, ...rest]
    const own = isDivided === true && has !== undefined ? { has } : {}
    return proxies({ ...common, ...own, tailnet, resolveClass, type, kinds: of, shard, problem: told(resource.kind) })
  })
  if (shard > 0) return ofParents
  const ofGroups = [
    groups({ ...common, tailnet, resolveClass, uses, problem: told('ProxyGroup') }),
    groupFiles({ ...common, uses, problem: told('files of ProxyGroup') }),
    acmeAccountsOf({ ...common, problem: told('Secret') }),
    groupEgress({ ...common, standalone: standalone(caches.world, settings), problem: told('Service') }),
    egressPods({ ...common, problem: told('Pod') }),
    ...groupIngress({ ...common, tailnet, told }),
  ]
  const ofItself = apiProxy({ ...common, tailnet, resolveClass, problem: told('StatefulSet') })
  const ofOthers = judged.map((one) => judging(one, { ...common, problem: told(one.resource.kind) }))
  return [...ofParents, ...ofGroups, ofItself, ...ofOthers]
}

/** What the controllers of groups must know of proxies of their own. */
const standalone = (world: World, settings: OperatorSettings) => ({
  claims: (service: KubeObject): boolean =>
    kinds.some(({ resource, claims }) => resource === services && claims(service, world, settings)),
  hasAny: (parent: Parent): boolean => hasAny(world, parent),
})
