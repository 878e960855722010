import { isDeepStrictEqual } from 'node:util'
import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { findGroup } from '../group/group.ts'
import { textOf } from '../objects/annotations.ts'
import type { Condition } from '../objects/conditions.ts'
import { invalidService } from '../objects/exposed-service.ts'
import type { Parent } from '../objects/parent.ts'
import { resolveClass } from '../proxy-class/resolve.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { entryOf, servicesFor } from './cluster-service.ts'
import { conditions, type Problem, type Standing } from './conditions.ts'
import { configName, mountedOf, roomBytes } from './files.ts'
import { lackOf, replicasIn } from './replicas.ts'
import type { EgressRequest } from './request.ts'
import { hasSlices } from './slices.ts'

/** How an attempt to bring what a Service asks for into the cluster ended. */
export type Outcome = {
  readonly problem?: Problem
  readonly failed?: string
  readonly request?: EgressRequest
}

/** From this size on, an entry that the ConfigMap lacks has no room there: a group of half the size is well below. */
const nearlyFull = 0.9 * roomBytes

/** What there is to tell of a Service: a function of what the cluster holds, and of the attempt. */
export function report(
  object: KubeObject,
  { problem, failed, request }: Outcome,
  world: World,
  settings: OperatorSettings,
): { readonly conditions: readonly Condition[]; readonly events: readonly Event[] } {
  const { namespace } = settings
  const parent: Parent = { type: 'svc', namespace: object.metadata.namespace ?? '', name: object.metadata.name }
  const service = servicesFor(world, parent).find((one) => hasSlices(world, one))
  const asked = request?.group ?? textOf(object, 'proxyGroup') ?? ''
  const group = findGroup(world, service?.group ?? asked, settings)
  const entry = service && entryOf(service, world, settings)
  const mounted = mountedOf(world, namespace, service?.group ?? asked)
  const isMounted =
    entry !== undefined && isDeepStrictEqual(comparable(mounted.entries.get(entry.name)), comparable(entry))
  const replicas =
    'missing' in group || service === undefined || entry === undefined
      ? []
      : replicasIn(world, namespace, group.name, group.replicas)
          .slice(0, group.replicas)
          .map((replica) => ({ name: replica.name, lacks: lackOf(replica, entry, service.families) }))
  const isFull = entry !== undefined && !mounted.entries.has(entry.name) && mounted.bytes >= nearlyFull
  const full = `ConfigMap "${configName(asked)}" has no room for it: use another ProxyGroup`
  const standing: Standing = {
    group: asked,
    problem: problem ?? unavailable(asked, world, settings),
    failed: failed ?? (isFull ? full : undefined),
    service,
    target: entry?.tailnetTarget.ip || entry?.tailnetTarget.fqdn || '',
    isMounted,
    replicas,
  }
  return {
    conditions: conditions(standing),
    events: eventsOf({ problem, failed: standing.failed }, request, world, settings),
  }
}

const comparable = (entry: object | undefined) => (entry === undefined ? undefined : { ...entry, target: undefined })

/** Why a group serves nobody now, as its own conditions say. */
function unavailable(name: string, world: World, settings: OperatorSettings): Problem | undefined {
  const group = findGroup(world, name, settings)
  if ('missing' in group) return { reason: 'ProxyGroupNotReady', message: group.missing }
  const { conditions: all = [] } = (group.object['status'] ?? {}) as {
    readonly conditions?: readonly Partial<Condition>[]
  }
  if (all.some(({ type, status }) => type === 'ProxyGroupAvailable' && status === 'True')) return undefined
  return { reason: 'ProxyGroupNotReady', message: `no replica of ProxyGroup "${name}" runs yet` }
}

function eventsOf(
  { problem, failed }: { readonly problem: Problem | undefined; readonly failed: string | undefined },
  request: EgressRequest | undefined,
  world: World,
  settings: OperatorSettings,
): readonly Event[] {
  const warning = (reason: string, message: string): Event => ({ type: 'Warning', reason, message })
  const group = request && findGroup(world, request.group, settings)
  const isUnrouted =
    request?.isRouted === true && group !== undefined && !('missing' in group) && !accepts(group.proxyClass)
  function accepts(name: string | undefined): boolean {
    const of = name === undefined ? undefined : resolveClass(name, world)
    return of !== undefined && !('notReady' in of) && of.acceptRoutes
  }
  return [
    ...(problem?.reason === 'EgressSvcInvalid' ? [warning(invalidService, problem.message)] : []),
    ...(problem?.reason === 'ProxyGroupNotReady' ? [warning(problem.reason, problem.message)] : []),
    ...(failed === undefined ? [] : [warning('ConfigurationFailed', failed)]),
    ...(isUnrouted
      ? [
          warning(
            'RoutesNotAccepted',
            `the target is behind a subnet router, and the group accepts no routes: give it a ProxyClass with tailscale.acceptRoutes`,
          ),
        ]
      : []),
  ]
}
