import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { parentOf, parentValue } from '../objects/parent.ts'
import { ingresses, services } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { isExposed, nodeNameOf } from '../objects/exposed.ts'
import { inNamespaceOf, namesHeld } from './holder.ts'
import { type Backend, isOurs, specOfIngress } from './ingress.ts'

// A change is given as the object was before it and as it is after it.

const keys = (objects: Iterable<KubeObject>): string[] => [...objects].map(({ metadata }) => keyOf(metadata))

/** Whether a Service may join an Ingress, or wait for it. */
const meet = (ingress: KubeObject, service: KubeObject): boolean =>
  isExposed(service, { isDefaultLoadBalancer: true }) && namesHeld(ingress).includes(nodeNameOf(service).toLowerCase())

/** The Ingresses that a Service is a backend of, or joins. */
export const ingressesNear = (service: KubeObject, world: World): string[] =>
  keys(inNamespaceOf(service, world.all(ingresses)).filter((one) => hasBackend(one, service) || meet(one, service)))

/** The Services that join an Ingress, or wait for it. */
export const joinersOf = (ingress: KubeObject, world: World): string[] =>
  keys(inNamespaceOf(ingress, world.all(services)).filter((one) => meet(ingress, one)))

/** The Services that join an Ingress, by what was made for it: its node comes and goes without a change of the Ingress. */
export const joinersByChild = ({ metadata }: KubeObject, world: World): string[] => {
  const parent = parentOf(metadata)
  if (parent?.type !== 'ingress') return []
  return world.by(ingresses, 'parent', parentValue(parent)).flatMap((one) => joinersOf(one, world))
}

/** The Services that may share a node with one. */
export const sharersOf = (service: KubeObject, world: World): string[] =>
  inNamespaceOf(service, world.all(ingresses))
    .filter((one) => meet(one, service))
    .flatMap((one) => joinersOf(one, world))

/** The Ingresses of a class. */
export const ingressesOf = ({ metadata }: KubeObject, world: World): string[] =>
  keys([...world.all(ingresses)].filter((one) => isOurs(one, metadata.name)))

/** Whether a Service is a backend of an Ingress in its namespace. */
export function hasBackend(ingress: KubeObject, { metadata }: KubeObject): boolean {
  const { defaultBackend, rules = [] } = specOfIngress(ingress)
  const is = (backend: Backend | undefined): boolean => backend?.service?.name === metadata.name
  return is(defaultBackend) || rules.some(({ http }) => http?.paths?.some(({ backend }) => is(backend)) === true)
}
