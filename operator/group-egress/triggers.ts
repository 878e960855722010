import { isDeepStrictEqual } from 'node:util'
import { type Trigger, trigger } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Source } from '../../kube/controller/reflect.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { isJsonObject } from '../../lib/json.ts'
import { groupOf } from '../group/group.ts'
import { labels } from '../objects/names.ts'
import type { Parent } from '../objects/parent.ts'
import * as resources from '../objects/resources.ts'
import { presentFor } from '../proxy/owned.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import { readClusterService, servedBy } from './cluster-service.ts'
import { mountedIn } from './files.ts'
import { statusIn } from './replicas.ts'

const followed: readonly Resource[] = [
  resources.services,
  resources.endpointSlices,
  resources.configMaps,
  resources.secrets,
  resources.pods,
  resources.statefulSets,
  resources.proxyGroups,
  resources.proxyClasses,
]

/** All that decides about egress through groups. */
export const sourcesFor = ({ sources }: Caches): readonly Source[] => sources(followed)

/** Which Services a change concerns. */
export function triggersFor({ world, store }: Caches, settings: Pick<OperatorSettings, 'namespace'>): Trigger[] {
  const keys = (objects: readonly KubeObject[]): string[] => objects.map(({ metadata }) => keyOf(metadata))

  /** The keys of the Services that ask for a group, and of those for which something is left in it. */
  const usersOf = (group: string): readonly string[] => [
    ...keys(world.by(resources.services, 'group', group)),
    ...servedBy(world, group).map(({ parent: { namespace, name } }) => `${namespace}/${name}`),
  ]
  /** The user's Service of what was made for one; by its labels, if it is gone. */
  const userOf = (child: KubeObject | undefined): readonly string[] => {
    const { [labels.parentNamespace]: namespace, [labels.parentName]: name, ...all } = child?.metadata.labels ?? {}
    if (child === undefined || all[labels.serviceType] !== 'egress' || child.metadata.namespace !== settings.namespace)
      return []
    const parent: Parent = { type: 'svc', namespace: namespace ?? '', name: name ?? '' }
    const user = presentFor(world, parent)
    return user === undefined ? [`${namespace}/${name}`] : keys([user])
  }
  /** The Services of a group whose entry differs between two documents. */
  const changed = (
    group: string | undefined,
    before: ReadonlyMap<string, unknown> | undefined,
    after: ReadonlyMap<string, unknown> | undefined,
  ): readonly string[] => {
    if (group === undefined) return []
    const differ = servedBy(world, group).filter(({ key }) => !isDeepStrictEqual(before?.get(key), after?.get(key)))
    return differ.map(({ parent: { namespace, name } }) => `${namespace}/${name}`)
  }
  /** The Services that have a port of the Pods with the one for which a ClusterIP Service was made: not all may keep it. */
  const sharing = (child: KubeObject | undefined): readonly string[] => {
    const service = child && readClusterService(child)
    if (service === undefined) return []
    const ports = new Set(service.ports.map(({ matchPort }) => matchPort))
    return servedBy(world, service.group)
      .filter((other) => other !== service && other.ports.some(({ matchPort }) => ports.has(matchPort)))
      .map(({ parent: { namespace, name } }) => `${namespace}/${name}`)
  }
  const either = (before: KubeObject | undefined, after: KubeObject | undefined): string | undefined =>
    groupOf(after ?? before)

  return [
    trigger(store(resources.services), ({ key, before, after, initial }) => [
      key,
      ...userOf(before),
      ...userOf(after),
      // At the start, everybody is looked at.
      ...(initial ? [] : sharing(after)),
    ]),
    trigger(store(resources.endpointSlices), ({ before, after }) => [...userOf(before), ...userOf(after)]),
    trigger(store(resources.configMaps), ({ before, after }) =>
      changed(either(before, after), before && mountedIn(before).entries, after && mountedIn(after).entries),
    ),
    trigger(store(resources.secrets), ({ before, after }) => {
      const group = either(before, after)
      if (group === undefined) return []
      const [one, other] = [before && statusIn(before), after && statusIn(after)]
      // Another Pod has written it.
      if (one?.IPv4 !== other?.IPv4 || one?.IPv6 !== other?.IPv6) return usersOf(group)
      return changed(group, one?.services, other?.services)
    }),
    trigger(store(resources.pods), ({ before, after }) => {
      const group = either(before, after)
      return group === undefined || isDeepStrictEqual(before && traits(before), after && traits(after))
        ? []
        : usersOf(group)
    }),
    trigger(store(resources.statefulSets), ({ before, after }) => {
      const group = either(before, after)
      return group === undefined || before?.metadata.generation === after?.metadata.generation ? [] : usersOf(group)
    }),
    trigger(store(resources.proxyGroups), ({ key }) => usersOf(key)),
    // Which agent a group has decides which ports it has.
    trigger(store(resources.proxyClasses), () =>
      [...world.all(resources.proxyGroups)].flatMap(({ metadata }) => usersOf(metadata.name)),
    ),
  ]
}

/** What of a Pod decides whether it is an endpoint. */
const traits = ({ metadata, status }: KubeObject) => ({
  uid: metadata.uid,
  isGoing: metadata.deletionTimestamp !== undefined,
  addresses: isJsonObject(status) ? status['podIPs'] : undefined,
})
