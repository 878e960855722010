import { isDeepStrictEqual } from 'node:util'
import type { Flight } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'
import type { Plan, Refused } from '../kind.ts'
import { labels } from '../objects/names.ts'
import { labelsOf, type Parent } from '../objects/parent.ts'
import { customResourceDefinitions, statefulSets } from '../objects/resources.ts'
import { serviceMonitors } from '../world/followed.ts'
import { blockedBy } from './blocked.ts'
import { ignoredOptions, mustBeAdmitted } from './checks.ts'
import { agentOf, children, hasClaims } from './children.ts'
import { blaming } from './class-fault.ts'
import type { ProxyClass, ResolveClass } from './class.ts'
import { soonest } from './each.ts'
import { newName, presentName } from './name.ts'
import { isMadeFor, isOurs, madeFor } from './owned.ts'
import type { removal } from './remove.ts'
import type { ProxyRequest } from './request.ts'
import { proxySecrets, type SecretsOptions } from './secrets.ts'
import { replacesStuck, type StuckOptions } from './stuck.ts'
import { freeOf, surplusOf } from './surplus.ts'
import type { Api } from '../../kube/controller/api.ts'

export type ProvisionOptions = SecretsOptions &
  StuckOptions & {
    readonly api: Pick<Api, 'get' | 'page'>
    readonly resolveClass: ResolveClass
  } & Pick<ReturnType<typeof removal>, 'removeSecrets' | 'removeSet' | 'takeOver'>

export type Provisioned = {
  readonly name: string
  /** What keeps the proxies from being there as asked, or from running. */
  readonly refused?: Refused | undefined
  /** Options that the agent does not have. */
  readonly ignored?: readonly string[]
  /** Milliseconds after which to look again. */
  readonly again?: number | undefined
}

/** Gives what brings the proxies of a parent into the cluster, as a plan says. */
export function provisioner(options: ProvisionOptions) {
  const { api, world, apply, prune, settings, resolveClass, removeSecrets, removeSet, takeOver } = options
  const applySecrets = proxySecrets(options)
  const unstick = replacesStuck(options)

  const nameFor = (object: KubeObject, parent: Parent, { name }: ProxyRequest): string =>
    name ?? presentName(world, parent) ?? newName(object.metadata)

  const bring = async (
    object: KubeObject,
    parent: Parent,
    { objects }: Plan,
    request: ProxyRequest,
    of: ProxyClass | undefined,
    flight: Flight,
  ): Promise<Provisioned> => {
    const name = nameFor(object, parent, request)
    const { special } = request
    const ignored = ignoredOptions(request, agentOf({ class: of, settings }))
    mustBeAdmitted(request, world, settings.namespace)
    const setKey = `${settings.namespace}/${name}`
    const before = world.get(statefulSets, setKey)
    const isFit = before === undefined || (selects(before, object) && hasClaims(before, special?.volumeClaims))
    const isStale = before !== undefined && isMadeFor(parent, before) && !isFit
    if (isStale) await removeSet(before, flight)
    const isNew = special !== undefined && before === undefined
    const isTaken = isNew && (await takeOver(object, parent, special.farewell, flight))
    if (isStale || isTaken || before?.metadata.deletionTimestamp !== undefined) {
      const message = 'an earlier proxy is being removed'
      return { name, refused: { as: 'pending', reason: 'ProxyRemoved', message }, again: soonMs }
    }
    const replicas = request.hostnames.length
    const surplus = surplusOf(world, parent, name, replicas)
    const made = children({
      parent,
      uid: object.metadata.uid ?? '',
      name,
      request,
      class: of,
      settings,
      present: before,
      surplus: surplus.map(({ metadata }) => metadata.name),
    })
    const labelled = objects.map(({ metadata, ...rest }) => ({
      ...rest,
      metadata: { ...metadata, labels: { ...metadata.labels, ...labelsOf(parent) } },
    })) as readonly KubeObject[]
    const canMonitor = world.get(customResourceDefinitions, serviceMonitors) !== undefined
    const first = [...made.slice(0, -1), ...labelled].filter(({ kind }) => canMonitor || kind !== 'ServiceMonitor')
    const owns = { owns: (present: KubeObject) => isOurs(parent, present) }
    for (const one of first) await apply(one, flight, owns)
    const again = await applySecrets({ object, parent, name, request, acceptRoutes: of?.acceptRoutes === true }, flight)
    const written = await apply(made.at(-1)!, flight, owns).catch(blaming(of))
    await prune(madeFor(world, parent), first, flight)
    const set = world.get(statefulSets, setKey)
    if (written === 'written' || set === undefined) return { name, ignored, again: Math.min(again ?? soonMs, soonMs) }
    await removeSecrets(freeOf(world, surplus, set), { parent, object }, flight)
    const blocked = await blockedBy(api, world, set, replicas, flight.signal)
    return {
      name,
      ignored,
      refused: blocked.refused,
      again: soonest([again, blocked.again, await unstick(object, set, replicas, flight)]),
    }
  }

  return async (
    object: KubeObject,
    parent: Parent,
    plan: Plan,
    request: ProxyRequest,
    flight: Flight,
  ): Promise<Provisioned> => {
    const of = request.proxyClass === undefined ? undefined : resolveClass(request.proxyClass, world)
    if (of !== undefined && 'notReady' in of) {
      const name = nameFor(object, parent, request)
      return { name, refused: { as: 'pending', reason: 'ProxyClassNotReady', message: of.notReady } }
    }
    return bring(object, parent, plan, request, of, flight)
  }
}

/**
 * Whether a StatefulSet is for the Pods of just this object, and not of an earlier one with its name, which went without
 * its proxy. The selector cannot be changed.
 */
const selects = ({ spec }: KubeObject, { metadata }: KubeObject): boolean =>
  isJsonObject(spec) && isDeepStrictEqual(spec['selector'], { matchLabels: { [labels.app]: metadata.uid } })

/** After a write, Pods are about to appear. */
const soonMs = 15_000
