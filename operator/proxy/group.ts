import type { KubeObject } from '../../kube/controller/object.ts'
import { textOf } from '../objects/annotations.ts'
import { hasTarget, loadBalancerClass } from '../objects/exposed.ts'
import { type Parent, parentValue } from '../objects/parent.ts'
import { services } from '../objects/resources.ts'
import { specOf } from '../objects/service.ts'
import type { World } from '../world/world.ts'

/** Whether an object asks a group of proxies to do what it is for: then the group's controllers say how it stands. */
export const asksGroup = (object: KubeObject): boolean => textOf(object, 'proxyGroup') !== undefined

/** Whether a Service asks a group of proxies to lead to a target in the tailnet. One that it exposes is not led anywhere. */
export const asksGroupEgress = (service: KubeObject): boolean =>
  asksGroup(service) && hasTarget(service) && !isExposed(service)

function isExposed(service: KubeObject): boolean {
  const { type, loadBalancerClass: of } = specOf(service)
  return type !== 'ExternalName' && (textOf(service, 'expose') === 'true' || of === loadBalancerClass)
}

/**
 * Whether the finalizer of an object is also needed by an egress group, which uses the same one: the object asks for
 * that, or something is left of it. Whoever takes away the last of an object removes the finalizer.
 */
export const isHeldByGroup = (object: KubeObject, parent: Parent, world: Pick<World, 'by'>): boolean =>
  (object.metadata.deletionTimestamp === undefined && asksGroupEgress(object)) ||
  world.by(services, 'parentInGroup', parentValue(parent)).length > 0
