import { isDeepStrictEqual } from 'node:util'
import { type Trigger, trigger } from '../../kube/controller/controller.ts'
import { type KubeObject, keyOf } from '../../kube/controller/object.ts'
import type { Source } from '../../kube/controller/reflect.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import * as resources from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import { groupOf } from './group.ts'
import type { GroupUse } from './use.ts'

/** What is named after groups. */
const own: readonly Resource[] = [
  resources.services,
  resources.secrets,
  resources.configMaps,
  resources.serviceAccounts,
  resources.roles,
  resources.roleBindings,
  resources.podDisruptionBudgets,
  resources.networkPolicies,
  resources.serviceMonitors,
  resources.statefulSets,
  resources.pods,
]

/** All that decides about groups. */
export function sourcesFor({ sources }: Caches, uses: readonly GroupUse[]): readonly Source[] {
  const concerned = uses.flatMap(({ concerns }) => concerns.map(({ resource }) => resource))
  const { proxyGroups, proxyClasses, namespaces, nodes, customResourceDefinitions } = resources
  const others = [proxyGroups, proxyClasses, namespaces, nodes, customResourceDefinitions]
  return sources([...new Set([...own, ...others, ...concerned])])
}

/** Which groups a change concerns. */
export function triggersFor(
  { world, store }: Caches,
  uses: readonly GroupUse[],
  { defaultProxyClass }: Pick<OperatorSettings, 'defaultProxyClass'>,
): Trigger[] {
  const names = (objects: Iterable<KubeObject>): string[] => [...objects].map(({ metadata }) => metadata.name)
  const every = (): string[] => names(world.all(resources.proxyGroups))
  return [
    trigger(store(resources.proxyGroups), ({ key }) => [key]),
    ...own.map((resource) =>
      trigger(store(resource), ({ before, after }) => new Set([before, after].flatMap((one) => groupOf(one) ?? []))),
    ),
    trigger(store(resources.proxyClasses), ({ key }) =>
      [key, ...(key === defaultProxyClass ? [''] : [])].flatMap((name) =>
        names(world.by(resources.proxyGroups, 'class', name)),
      ),
    ),
    // Whether it admits Pods with privileges.
    trigger(store(resources.namespaces), every),
    trigger(store(resources.nodes), ({ before, after }) => (isSame(before, after) ? [] : every())),
    ...uses.flatMap(({ concerns }) =>
      concerns.map(({ resource, groups }) =>
        trigger(store(resource), ({ before, after }) =>
          [before, after].flatMap((object) => (object === undefined ? [] : [...groups(object, world)])),
        ),
      ),
    ),
  ]
}

/** Nodes tell every few seconds that they are there. */
const isSame = (before: KubeObject | undefined, after: KubeObject | undefined): boolean =>
  before !== undefined &&
  after !== undefined &&
  keyOf(before.metadata) === keyOf(after.metadata) &&
  isDeepStrictEqual([before.metadata.labels, before['status']], [after.metadata.labels, after['status']])
