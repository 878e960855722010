import { isDeepStrictEqual } from 'node:util'
import { type Controller, controller, type Flight, trigger } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { lasting } from '../../lib/lasting.ts'
import type { ControllerParts } from '../controller-parts.ts'
import { findGroup, groupOf } from '../group/group.ts'
import { podWriter, type PodWriterOptions } from '../group/pod-gate.ts'
import { digestOf, syncer } from '../group/sync.ts'
import type { GroupView } from '../group/use.ts'
import { configMaps, endpointSlices, ingresses, pods, proxyGroups, secrets, services } from '../objects/resources.ts'
import { soonest } from '../proxy/each.ts'
import { configSuffix } from '../proxy/surplus.ts'
import { gate, gateType, type Hosted } from './gate.ts'
import { replicasOf } from './replicas.ts'
import { serves } from './standing.ts'
import { filesKey, hostedUses, usesOf } from './uses-of.ts'

export type IngressPodsOptions = Pick<PodWriterOptions, 'api'> &
  Pick<ControllerParts, 'caches' | 'settings' | 'clock' | 'problem'>

/** Says which files and config a Pod was told to look at. */
const annotation = 'culvert/ingress-config'

/**
 * Does for each Pod of an ingress group what only its own object can have. It opens its readiness gate: a rollout goes
 * on to the next one only when the tailnet can reach everything through this one. And it tells kubelet to look at the
 * files and the config of the replica when these have changed, which it otherwise does once in a minute or so.
 */
export function ingressPods({ api, caches, settings, clock, problem }: IngressPodsOptions): Controller {
  const { world } = caches
  const store = caches.store(pods)
  const { annotate, openGate } = podWriter({ api, store, clock })
  const { sync, forget } = syncer({ annotate, annotation, clock })
  /** For how long the node of a Pod, by its UID, has advertised everything. */
  const complete = lasting(clock)

  const syncFiles = async (pod: KubeObject, view: GroupView, flight: Flight): Promise<number | undefined> => {
    const [files, config] = [
      world.get(configMaps, filesKey(view)),
      world.get(secrets, `${keyOf(pod.metadata)}${configSuffix}`),
    ]
    if (files === undefined || config === undefined) return undefined
    const digest = `${digestOf(files)}-${digestOf(config)}`
    return sync(pod, { digest, lags: () => lags(view, pod) }, flight)
  }

  const podsOf = (group: string | undefined): readonly string[] =>
    group === undefined
      ? []
      : [...store.all()].filter((pod) => groupOf(pod) === group).map(({ metadata }) => keyOf(metadata))

  return controller({
    name: 'Pods of ingress groups',
    sources: caches.sources([pods, secrets, services, ingresses, endpointSlices, configMaps, proxyGroups]),
    triggers: [
      trigger(store, ({ key, before, after }) => {
        if (after === undefined) complete(before?.metadata.uid ?? '', false)
        return groupOf(after ?? before) === undefined ? [] : [key]
      }),
      // What a replica advertises, and what its config and files say.
      ...[secrets, configMaps].map((resource) =>
        trigger(caches.store(resource), ({ before, after }) => podsOf(groupOf(after ?? before))),
      ),
    ],
    concurrency: settings.concurrency,
    clock,
    problem,
    reconcile: async (key, flight) => {
      const pod = store.get(key)
      if (pod === undefined) forget(key)
      const name = groupOf(pod)
      if (pod === undefined || name === undefined || pod.metadata.deletionTimestamp !== undefined) return {}
      const group = findGroup(world, name, settings)
      if ('missing' in group || group.type === 'egress') return {}
      const view = { group, world, settings }
      const hosted = hostedBy(view, pod)
      const isComplete = hosted.every(({ isHere }) => isHere)
      const verdict = (waited: number) => gate(hosted, waited, complete(pod.metadata.uid ?? '', isComplete) ?? 0)
      const waits = [await syncFiles(pod, view, flight), await openGate(pod, gateType, verdict, flight)]
      const again = soonest(waits)
      return again === undefined ? {} : { again }
    },
    refuse: async (key, error) => problem(key, error.message),
  })
}

/** Whether a Pod does not do yet all that its config and files say. */
function lags(view: GroupView, { metadata: { name } }: KubeObject): boolean {
  const self = replicasOf(view).find((one) => one.name === name)
  if (self === undefined) return false
  const { configured, advertised, forwarded } = self
  const isForwarded = usesOf(view).every(
    ({ file, entry, service }) =>
      file === 'sites' || entry === undefined || isDeepStrictEqual(forwarded.get(service), entry),
  )
  return !isForwarded || configured.symmetricDifference(advertised).size > 0
}

/** How the Tailscale Services of a group stand with one of its Pods. */
function hostedBy(view: GroupView, { metadata: { name } }: KubeObject): readonly Hosted[] {
  const replicas = replicasOf(view)
  const self = replicas.find((one) => one.name === name)
  return hostedUses(view).flatMap((use) =>
    use.lack !== undefined
      ? []
      : [
          {
            service: use.service,
            isHere: self !== undefined && serves(self, use),
            isElsewhere: replicas.some((one) => one !== self && serves(one, use)),
          },
        ],
  )
}
