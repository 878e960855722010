import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { hasBackend } from '../l7-ingress/concerns.ts'
import { inNamespaceOf } from '../l7-ingress/holder.ts'
import { type Parent, parentInGroup, parentValue } from '../objects/parent.ts'
import * as resources from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { presentFor } from '../proxy/owned.ts'
import { groupAskedBy, namedBy, parentFor } from './ask.ts'
import { groupsIn } from './record.ts'

// A change is given as the object was before it and as it is after it.

/** The groups whose replicas host something for a parent, or are to. */
function groupsOf(parent: Parent, object: KubeObject | undefined, world: World): readonly string[] {
  const asked = object && groupAskedBy(object)
  const records = world.by(resources.configMaps, 'parentInGroup', parentValue(parent))
  return [...(asked === undefined ? [] : [asked]), ...records.flatMap(groupsIn)]
}

/** The Ingresses that use a group, and have a Service as a backend. */
export const ingressesWith = (service: KubeObject, world: World): readonly KubeObject[] =>
  inNamespaceOf(service, world.all(resources.ingresses)).filter(
    (ingress) => namedBy(ingress).length > 0 && hasBackend(ingress, service),
  )

/** The Service that an EndpointSlice is of. */
export const serviceOf = ({ metadata }: KubeObject, world: World): KubeObject | undefined =>
  world.get(
    resources.services,
    keyOf({ namespace: metadata.namespace, name: metadata.labels?.['kubernetes.io/service-name'] ?? '' }),
  )

export type Concern = {
  readonly resource: Resource
  /** Of groups, or of objects. */
  readonly keys: (changed: KubeObject, world: World) => Iterable<string>
}

const ofObject = (object: KubeObject, world: World): readonly string[] => groupsOf(parentFor(object), object, world)
const ofChild = ({ metadata }: KubeObject, world: World): readonly string[] => {
  const parent = parentInGroup(metadata)
  return parent === undefined ? [] : groupsOf(parent, presentFor(world, parent), world)
}

/** Which groups a change of an object concerns. */
export const groupConcerns: readonly Concern[] = [
  {
    resource: resources.services,
    keys: (service, world) => [
      ...ofObject(service, world),
      ...ingressesWith(service, world).flatMap((ingress) => ofObject(ingress, world)),
    ],
  },
  { resource: resources.ingresses, keys: ofObject },
  { resource: resources.configMaps, keys: (configMap) => groupsIn(configMap) },
  { resource: resources.secrets, keys: ofChild },
  {
    resource: resources.endpointSlices,
    keys: (slice, world) => {
      const service = serviceOf(slice, world)
      return service === undefined ? [] : ofObject(service, world)
    },
  },
]
