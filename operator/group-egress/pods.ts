import { type Controller, controller, type Flight, trigger } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { ControllerParts } from '../controller-parts.ts'
import { groupOf, typeOf } from '../group/group.ts'
import { podWriter, type PodWriterOptions } from '../group/pod-gate.ts'
import { digestOf, syncer } from '../group/sync.ts'
import { configMaps, endpointSlices, pods, proxyGroups, secrets, services } from '../objects/resources.ts'
import { soonest } from '../proxy/each.ts'
import type { World } from '../world/world.ts'
import { isGoing, readClusterService, servicesOf } from './cluster-service.ts'
import { configName, mountedIn } from './files.ts'
import { gate, gateType, type Routed } from './gate.ts'
import { isListed, statusIn } from './replicas.ts'
import { endpointsOf } from './slices.ts'

export type EgressPodsOptions = Pick<PodWriterOptions, 'api'> &
  Pick<ControllerParts, 'caches' | 'settings' | 'clock' | 'problem'>

/** Says which files of the group a Pod was told to look at. */
const annotation = 'culvert/egress-config'

/**
 * Does for each Pod of an egress group what only its own object can have: opens its readiness gate, and tells kubelet to
 * look at the group's files when these have changed. Kubelet looks by itself once in a minute or so, but at once when an
 * annotation of the Pod changes.
 */
export function egressPods({ api, caches, settings, clock, problem }: EgressPodsOptions): Controller {
  const { world } = caches
  const store = caches.store(pods)
  const { annotate, openGate } = podWriter({ api, store, clock })
  const { sync, forget } = syncer({ annotate, annotation, clock })

  const syncFiles = async (pod: KubeObject, group: string, flight: Flight): Promise<number | undefined> => {
    const config = world.get(configMaps, `${pod.metadata.namespace}/${configName(group)}`)
    if (config === undefined) return undefined
    return sync(pod, { digest: digestOf(config), lags: () => lags(world, pod, config) }, flight)
  }

  const users = (group: string): readonly string[] =>
    [...store.all()].filter((pod) => groupOf(pod) === group).map(({ metadata }) => keyOf(metadata))
  const ofService = (object: KubeObject | undefined): readonly string[] => {
    const service = object && readClusterService(object)
    return service === undefined ? [] : users(service.group)
  }

  return controller({
    name: 'Pods of egress groups',
    sources: caches.sources([pods, secrets, services, endpointSlices, configMaps, proxyGroups]),
    triggers: [
      trigger(store, ({ key, after }) => (after !== undefined && groupOf(after) === undefined ? [] : [key])),
      trigger(caches.store(configMaps), ({ before, after }) => users(groupOf(after ?? before) ?? '')),
      ...[services, endpointSlices].map((resource) =>
        trigger(caches.store(resource), ({ before, after }) => [...ofService(before), ...ofService(after)]),
      ),
    ],
    concurrency: settings.concurrency,
    clock,
    problem,
    reconcile: async (key, flight) => {
      const pod = store.get(key)
      if (pod === undefined) forget(key)
      const group = groupOf(pod)
      const object = group === undefined ? undefined : world.get(proxyGroups, group)
      if (pod === undefined || group === undefined || object === undefined) return {}
      if (typeOf(object) !== 'egress' || isGoing(pod)) return {}
      const verdict = (waited: number) => gate(routes(world, group, pod.metadata.uid ?? ''), waited)
      const waits = [await syncFiles(pod, group, flight), await openGate(pod, gateType, verdict, flight)]
      const again = soonest(waits)
      return again === undefined ? {} : { again }
    },
    refuse: async (key, error) => problem(key, error.message),
  })
}

/** Whether a Pod does not do yet all that the files say. */
function lags(world: Pick<World, 'get'>, { metadata }: KubeObject, config: KubeObject): boolean {
  const secret = world.get(secrets, keyOf(metadata))
  const status = secret && statusIn(secret)
  return [...mountedIn(config).entries.values()].some((entry) => !isListed(status, entry))
}

/** How the Services of a group stand with one of its Pods. */
function routes(world: World, group: string, uid: string): readonly Routed[] {
  return servicesOf(world, group).map((service) => {
    const all = endpointsOf(world, service)
    const { namespace, name } = service.parent
    return {
      name: `${namespace}/${name}`,
      isHere: all.length > 0 && all.every((uids) => uids.has(uid)),
      isElsewhere: all.some((uids) => [...uids].some((other) => other !== uid)),
    }
  })
}
