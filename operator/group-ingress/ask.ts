import type { KubeObject } from '../../kube/controller/object.ts'
import { textOf } from '../objects/annotations.ts'
import { hasTarget, loadBalancerClass, nodeNameOf } from '../objects/exposed.ts'
import { type Parent, parentValue } from '../objects/parent.ts'
import { ingresses, proxyGroups, services } from '../objects/resources.ts'
import { clusterAddresses, specOf } from '../objects/service.ts'
import { byAge } from '../l7-ingress/join.ts'
import { nodeNameOf as nodeNameOfIngress, specOfIngress } from '../l7-ingress/ingress.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { apiHostname, isApiServerGroup } from './api-group.ts'
import { recordOf } from './record.ts'
import { serviceNameOf } from './names.ts'

/**
 * What an object asks of a group of proxies: to be reachable as a Tailscale Service that its replicas host. A group of
 * API server proxies asks that of itself.
 */
export type Ask = {
  readonly object: KubeObject
  readonly parent: Parent
  /** The name of the ProxyGroup. */
  readonly group: string
  /** The name of the Tailscale Service. It may be invalid. */
  readonly service: string
}

type Settings = Pick<OperatorSettings, 'namespace' | 'ingressClass'>

/** The parent that an object is in labels of others. */
export const parentFor = ({ kind, metadata: { namespace = '', name } }: KubeObject): Parent => ({
  type: kind === 'ProxyGroup' ? 'proxygroup' : kind === 'Ingress' ? 'ingress' : 'svc',
  namespace,
  name,
})

/** The name of the group of which an object asks something; undefined if it asks for nothing. */
export const groupAskedBy = (object: KubeObject): string | undefined =>
  object.kind !== 'ProxyGroup'
    ? textOf(object, 'proxyGroup')
    : isApiServerGroup(object)
      ? object.metadata.name
      : undefined

/** What an object asks of a group; undefined if it asks for nothing that ingress through groups is. */
export function askOf(object: KubeObject, { ingressClass }: Pick<Settings, 'ingressClass'>): Ask | undefined {
  const group = groupAskedBy(object)
  if (group === undefined || object.metadata.deletionTimestamp !== undefined) return undefined
  if (object.kind === 'Ingress' && specOfIngress(object).ingressClassName !== ingressClass) return undefined
  if (object.kind === 'Service' && !isExposedByGroup(object)) return undefined
  return { object, parent: parentFor(object), group, service: serviceFor(object) }
}

/** The Tailscale Service that has the name which an object asks for, by itself or by its own name. */
export const serviceFor = (object: KubeObject): string => serviceNameOf(nameAskedBy(object))

function nameAskedBy(object: KubeObject): string {
  if (object.kind === 'ProxyGroup') return apiHostname(object)
  return object.kind === 'Ingress' ? nodeNameOfIngress(object) : nodeNameOf(object)
}

/** What `askOf` asks for by name, whatever the operator's class of Ingresses is: for an index. */
export const namedBy = (object: KubeObject): readonly string[] =>
  groupAskedBy(object) === undefined ? [] : [serviceFor(object)]

function isExposedByGroup(service: KubeObject): boolean {
  const spec = specOf(service)
  const asked = textOf(service, 'expose') === 'true'
  // With a target it is egress, whose controller has the say then.
  if (spec.type === 'ExternalName') return asked && !hasTarget(service)
  // The API has not chosen its address yet.
  if (spec.clusterIP !== 'None' && clusterAddresses(spec).length === 0) return false
  return asked || (spec.type === 'LoadBalancer' && spec.loadBalancerClass === loadBalancerClass)
}

/**
 * The object that has a Tailscale Service: the one for which it was made, even while it is being removed; else the
 * oldest that asks for it. Undefined if there is none.
 */
export function holderOf(world: World, service: string, settings: Settings): Parent | undefined {
  const record = recordOf(world, service, settings.namespace)
  if (record !== undefined) return record.parent
  return asksFor(world, service, settings)[0]?.parent
}

/** The kinds whose objects can ask something of a group. */
export const askers = [services, ingresses, proxyGroups] as const

/** All that ask for a Tailscale Service, the oldest first. */
export const asksFor = (world: World, service: string, settings: Settings): readonly Ask[] =>
  askers
    .flatMap((resource) => world.by(resource, 'tailscaleService', service))
    .toSorted(byAge)
    .flatMap((object) => askOf(object, settings) ?? [])

export const isSameParent = (one: Parent, other: Parent): boolean => parentValue(one) === parentValue(other)
