import type { KubeObject } from '../../kube/controller/object.ts'
import { areAnnotationsValid, proxyClassOf, textOf } from '../objects/annotations.ts'
import { isExposed, nodeNameOf } from '../objects/exposed.ts'
import { finalizer } from '../objects/names.ts'
import { ingresses, proxyClasses, services } from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { isOurs, nodeNameOf as nameOfIngress, nameInStatus, webPorts } from './ingress.ts'
import { byAge, type Joined, joinServices } from './join.ts'

/** The Ingress whose node has the name that a Service asks for. */
export type Holder = {
  readonly ingress: KubeObject
  /** The node is the Service's, too; otherwise the Ingress is about to give up the name, and the Service waits for that. */
  readonly joins: boolean
}

type Settings = Pick<OperatorSettings, 'ingressClass' | 'isDefaultLoadBalancer'>

/**
 * The Ingress of the same namespace that has the name of a Service which asks for a node; undefined: none has. One that
 * is refused from the start takes no name from a Service.
 */
export function holderOf(service: KubeObject, world: World, settings: Settings): Holder | undefined {
  if (!isExposed(service, settings)) return undefined
  const name = nodeNameOf(service).toLowerCase()
  const near = inNamespaceOf(service, world.all(ingresses)).filter((one) => namesHeld(one).includes(name))
  const [first] = near
    .filter((one) => isActive(one, settings) && asksFor(one, name) && (areAnnotationsValid(one) || hasNode(one)))
    .toSorted(byAge)
  if (first !== undefined) return { ingress: first, joins: true }
  const leaving = near.find(hasNode)
  return leaving && { ingress: leaving, joins: false }
}

/** The Services that join the node of an Ingress. */
export const joiningServices = (ingress: KubeObject, world: World, settings: Settings): readonly KubeObject[] =>
  inNamespaceOf(ingress, world.all(services)).filter((service) => {
    if (service.metadata.deletionTimestamp !== undefined || !asksFor(ingress, nodeNameOf(service))) return false
    const holder = holderOf(service, world, settings)
    return holder?.joins === true && holder.ingress.metadata.uid === ingress.metadata.uid
  })

/** Others that ask for the name of an Ingress, and cannot share its node. */
export const rivalsOf = (ingress: KubeObject, world: World, settings: Settings): readonly KubeObject[] => {
  const { uid, namespace } = ingress.metadata
  const name = nameOfIngress(ingress)
  return [
    ...Iterator.from(world.all(ingresses)).filter(
      (one) => one.metadata.uid !== uid && isActive(one, settings) && asksFor(one, name),
    ),
    ...Iterator.from(world.all(services)).filter(
      (one) => one.metadata.namespace !== namespace && asksFor(ingress, nodeNameOf(one)) && isExposed(one, settings),
    ),
  ]
}

/** What the node of an Ingress does for the Services that join it. */
export function joinedTo(ingress: KubeObject, world: World, settings: OperatorSettings): Joined {
  const { clusterDomain, defaultProxyClass } = settings
  const asked = world.get(proxyClasses, proxyClassOf(ingress, defaultProxyClass) ?? '')
  const agent = (asked && textOf(asked, 'agent')) ?? settings.agent
  const joining = joiningServices(ingress, world, settings)
  return joinServices(joining, { web: webPorts(ingress), hasUdp: agent === 'culvert', clusterDomain })
}

/** Whether the operator has made something for an object itself, such as a node, that is not gone. */
export const hasNode = ({ metadata }: KubeObject): boolean => metadata.finalizers?.includes(finalizer) === true

const isActive = (ingress: KubeObject, { ingressClass }: Settings): boolean =>
  isOurs(ingress, ingressClass) && ingress.metadata.deletionTimestamp === undefined

const asksFor = (ingress: KubeObject, name: string): boolean =>
  nameOfIngress(ingress).toLowerCase() === name.toLowerCase()

/** The tailnet name that an Ingress asks for, and the one that its node had when it was seen last. */
export const namesHeld = (ingress: KubeObject): readonly string[] => [
  nameOfIngress(ingress).toLowerCase(),
  ...[nameInStatus(ingress) ?? []].flat(),
]

export const inNamespaceOf = ({ metadata: { namespace } }: KubeObject, all: Iterable<KubeObject>): KubeObject[] =>
  Iterator.from(all)
    .filter(({ metadata }) => metadata.namespace === namespace)
    .toArray()
