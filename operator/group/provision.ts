import type { Api } from '../../kube/controller/api.ts'
import { type Flight, UserError } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Refused } from '../kind.ts'
import { customResourceDefinitions, proxyGroups, secrets, statefulSets } from '../objects/resources.ts'
import { authAccount, withoutAuthAccount } from '../proxy/account.ts'
import { blockedBy } from '../proxy/blocked.ts'
import { mustBeAdmitted } from '../proxy/checks.ts'
import { agentOf } from '../proxy/children.ts'
import { blaming } from '../proxy/class-fault.ts'
import type { ProxyClass, ResolveClass } from '../proxy/class.ts'
import { soonest } from '../proxy/each.ts'
import { isOurs, madeFor } from '../proxy/owned.ts'
import type { removal } from '../proxy/remove.ts'
import { replicasOf as replicasIn } from '../proxy/seen.ts'
import { replacesStuck, type StuckOptions } from '../proxy/stuck.ts'
import { configSuffix, freeOf, surplusOf } from '../proxy/surplus.ts'
import { serviceMonitors } from '../world/followed.ts'
import { groupChildren } from './children.ts'
import { type ConfigsOptions, replicaSecrets } from './configs.ts'
import { type FromClass, fromClassIn } from './device-config.ts'
import { type StaticEndpoints, staticEndpoints } from './endpoints.ts'
import { accountOf, configMapName, type Group, parentOfGroup } from './group.ts'
import type { GroupUse, GroupView } from './use.ts'

export type ProvisionOptions = ConfigsOptions &
  StuckOptions & {
    readonly api: Pick<Api, 'get' | 'page'>
    readonly resolveClass: ResolveClass
    readonly removeSecrets: ReturnType<typeof removal>['removeSecrets']
  }

export type Provisioned = {
  /** What keeps the group from being as asked. */
  readonly refused?: Refused | undefined
  /** Milliseconds after which to look again. */
  readonly again?: number | undefined
}

/** After a write, Pods are about to appear. */
const soonMs = 15_000
const accountRemedy =
  'Install the chart with apiServerProxyConfig.allowImpersonation: "true", or set spec.kubeAPIServer.mode to noauth.'

/** Gives what brings a group into the cluster. */
export function groupProvisioner(options: ProvisionOptions) {
  const { api, apply, prune, resolveClass, removeSecrets } = options
  const applySecrets = replicaSecrets(options)
  const unstick = replacesStuck(options)

  /**
   * Applies the Secrets of each replica. One that fails does not keep the others; `ready` is how many of the first ones
   * have what a Pod needs.
   */
  const secretsOf = async (
    view: GroupView,
    use: GroupUse,
    fromClass: (ordinal: number) => FromClass | undefined,
    flight: Flight,
  ): Promise<{ readonly ready: number; readonly again: number | undefined; readonly failure: unknown }> => {
    let failure: unknown
    const one = async (ordinal: number): Promise<{ readonly wait: number | undefined } | undefined> => {
      const decided = fromClass(ordinal)
      if (decided === undefined) return undefined
      try {
        return { wait: await applySecrets(view, use, ordinal, decided, flight) }
      } catch (error) {
        failure ??= error
        return undefined
      }
    }
    // At once, so that one that waits for a key holds up no other.
    const all = await Promise.all(view.group.hostnames.map((_, ordinal) => one(ordinal)))
    const ready = all.includes(undefined) ? all.indexOf(undefined) : all.length
    const waits = all.map((done) => done?.wait)
    return { ready, again: soonest(waits), failure }
  }

  /** Makes what the users of a group want, such as who may connect. What goes wrong stops nothing else. */
  const bringObjects = async (
    view: GroupView,
    use: GroupUse,
    flight: Flight,
  ): Promise<{ readonly objects: readonly KubeObject[]; readonly failure: unknown }> => {
    const owns = { owns: (one: KubeObject) => isOurs(parentOfGroup(view.group.name), one) }
    const objects = use.objects?.(view) ?? []
    let failure: unknown
    for (const one of objects) {
      await apply(one, flight, owns).catch((error: unknown) => {
        if (flight.signal.aborted) throw error
        failure ??= error
      })
    }
    return { objects, failure }
  }

  /** What does not depend on the class goes on also while that is not ready. */
  const withoutClass = async (
    view: GroupView,
    use: GroupUse,
    notReady: string,
    flight: Flight,
  ): Promise<Provisioned> => {
    const { failure: unmade } = await bringObjects(view, use, flight)
    const { again, failure = unmade } = await secretsOf(
      view,
      use,
      (ordinal) => fromClassIn(configOf(view, ordinal)),
      flight,
    )
    if (failure !== undefined) throw failure
    return { refused: { as: 'pending', reason: 'ProxyClassNotReady', message: notReady }, again }
  }

  const bring = async (
    view: GroupView,
    use: GroupUse,
    of: ProxyClass | undefined,
    flight: Flight,
  ): Promise<Provisioned> => {
    const { group, world, settings } = view
    const parent = parentOfGroup(group.name)
    const owns = { owns: (one: KubeObject) => isOurs(parent, one) }
    const present = setOf(view)
    const agent = agentOf({ class: of, settings })
    mustHave(agent, group)
    const { mode = 'kernel' } = use.pod({ group, settings, agent, class: of })
    if (present === undefined) mustBeAdmitted({ mode }, world, settings.namespace)
    const endpoints = of && endpointsOf(view, of)
    const surplus = surplusOf(world, parent, group.name, group.replicas)
    const planned = (replicas: number): readonly KubeObject[] =>
      groupChildren({
        ...view,
        use,
        agent,
        class: of,
        endpoints,
        present,
        replicas,
        surplus: surplus.map(({ metadata }) => metadata.name).filter((name) => !name.endsWith(configSuffix)),
      })
    const canMonitor = world.get(customResourceDefinitions, serviceMonitors) !== undefined
    const before = planned(0).filter(({ kind }) => kind !== 'StatefulSet' && (canMonitor || kind !== 'ServiceMonitor'))
    const { objects, failure: unmade } = await bringObjects(view, use, flight)
    for (const one of before) await apply(one, flight, owns)
    const fromClass = (ordinal: number): FromClass => ({
      acceptRoutes: of?.acceptRoutes === true,
      staticEndpoints: endpoints?.addresses[ordinal] ?? [],
    })
    const { ready, again, failure = unmade } = await secretsOf(view, use, fromClass, flight)
    // A Pod without its config would only fail; but those that run already stay.
    const running = Math.min(replicasIn(present) ?? 0, group.replicas)
    const set = planned(Math.max(ready, running)).at(-1)!
    const result = await apply(set, flight, owns).catch(blaming(of))
    const files = { name: configMapName(group), namespace: settings.namespace }
    const made = [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: files }, ...before, ...objects]
    await prune(madeFor(world, parent), made, flight)
    if (failure !== undefined) throw failure
    if (result === 'written' || present === undefined) return { again: soonest([again, soonMs]) }
    await removeSecrets(freeOf(world, surplus, present), { parent, object: group.object }, flight)
    const blocked = await blockedBy(api, world, present, group.replicas, flight.signal)
    const unstuck = await unstick(world.get(proxyGroups, group.name), present, group.replicas, flight)
    return { refused: blocked.refused ?? lacking(endpoints), again: soonest([again, blocked.again, unstuck]) }
  }

  return async (view: GroupView, use: GroupUse, flight: Flight): Promise<Provisioned> => {
    const { group, world } = view
    if (setOf(view)?.metadata.deletionTimestamp !== undefined)
      return { refused: { as: 'pending', reason: 'ProxyRemoved', message: 'earlier proxies are being removed' } }
    const { namespace } = view.settings
    const missing =
      accountOf(group) === authAccount &&
      (await withoutAuthAccount({ api, namespace, reason: 'ProxyGroupInvalid', remedy: accountRemedy }, flight.signal))
    if (missing) return missing
    const of = group.proxyClass === undefined ? undefined : resolveClass(group.proxyClass, world)
    return of !== undefined && 'notReady' in of
      ? withoutClass(view, use, of.notReady, flight)
      : bring(view, use, of, flight)
  }
}

/** @throws UserError if the agent cannot be what the group is for */
function mustHave(agent: 'culvert' | 'upstream', { type }: Group): void {
  if (agent === 'culvert' || type !== 'kube-apiserver') return
  throw new UserError(
    'NotSupportedByAgent',
    'the API server proxy needs Culvert’s agent beside it, and the image of the proxies has Tailscale’s',
    'Use a ProxyClass with the annotation culvert/agent: culvert and an image that has it.',
  )
}

const configOf = ({ world, group, settings }: GroupView, ordinal: number): KubeObject | undefined =>
  world.get(secrets, keyOf({ namespace: settings.namespace, name: `${group.name}-${ordinal}${configSuffix}` }))

const endpointsOf = (view: GroupView, of: ProxyClass): StaticEndpoints | undefined =>
  staticEndpoints(view.world, {
    group: view.group,
    class: of,
    namespace: view.settings.namespace,
    before: (ordinal) => fromClassIn(configOf(view, ordinal))?.staticEndpoints ?? [],
  })

const setOf = ({ world, group, settings }: GroupView): KubeObject | undefined =>
  world.get(statefulSets, keyOf({ namespace: settings.namespace, name: group.name }))

const lacking = (endpoints: StaticEndpoints | undefined): Refused | undefined =>
  endpoints?.problem === undefined
    ? undefined
    : { as: endpoints.isComing ? 'pending' : 'failed', reason: 'StaticEndpointsIncomplete', message: endpoints.problem }
