import { type Trigger, trigger } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Source } from '../../kube/controller/reflect.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import type { Kind } from '../kind.ts'
import type { ParentType } from '../objects/names.ts'
import { parentOf } from '../objects/parent.ts'
import * as resources from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import { forbiddenBy } from '../world/pod-security.ts'
import { presentFor } from './owned.ts'

/** What is made for parents. */
export const childResources: readonly Resource[] = [
  resources.services,
  resources.secrets,
  resources.serviceAccounts,
  resources.roles,
  resources.roleBindings,
  resources.networkPolicies,
  resources.serviceMonitors,
  resources.statefulSets,
  resources.pods,
]

type Kinds = readonly [Kind, ...Kind[]]

/** All that decides about proxies. */
export function sourcesFor({ sources }: Caches, kinds: Kinds): readonly Source[] {
  const concerned = kinds.flatMap(({ concerns = [] }) => concerns.map(({ resource }) => resource))
  const own = [kinds[0].resource, resources.proxyClasses, resources.namespaces, resources.customResourceDefinitions]
  return sources([...new Set([...childResources, ...own, ...concerned])])
}

/** Which parents a change concerns. */
export function triggersFor(caches: Caches, type: ParentType, kinds: Kinds, settings: OperatorSettings): Trigger[] {
  const { world, store } = caches
  const { resource } = kinds[0]
  const keys = (objects: Iterable<KubeObject>): string[] => [...objects].map(({ metadata }) => keyOf(metadata))

  /** The key of a child's parent; of one that is gone, as labels have it. */
  const parentsOf = (child: KubeObject | undefined): readonly string[] => {
    const parent = child && parentOf(child.metadata)
    if (child === undefined || parent?.type !== type) return []
    const present = presentFor(world, parent)
    if (present !== undefined) return keys([present])
    const { namespace, name } = parent
    return [keyOf({ name, ...(namespace !== '' && { namespace }) })]
  }
  const isDefault = (name: string): boolean =>
    name === settings.defaultProxyClass && (type === 'svc' || type === 'ingress')

  return [
    trigger(store(resource), ({ key }) => [key]),
    ...childResources.map((child) =>
      trigger(store(child), ({ before, after }) => new Set([...parentsOf(before), ...parentsOf(after)])),
    ),
    trigger(store(resources.proxyClasses), ({ key }) =>
      [key, ...(isDefault(key) ? [''] : [])].flatMap((name) => keys(world.by(resource, 'class', name))),
    ),
    // Whether it admits Pods with privileges.
    trigger(store(resources.namespaces), ({ before, after }) => {
      const [one, other] = [before, after].map((object) => object && levelOf(object))
      return one === other ? [] : keys(world.all(resource))
    }),
    ...kinds.flatMap(({ concerns = [] }) =>
      concerns.map((concern) =>
        trigger(store(concern.resource), ({ before, after }) =>
          [before, after].flatMap((object) => (object === undefined ? [] : [...concern.keys(object, world)])),
        ),
      ),
    ),
  ]
}

const levelOf = (namespace: KubeObject): string | undefined =>
  forbiddenBy({ get: () => namespace }, namespace.metadata.name)
