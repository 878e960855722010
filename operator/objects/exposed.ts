import type { KubeObject } from '../../kube/controller/object.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { annotations, textOf } from './annotations.ts'
import { notes } from './names.ts'
import { clusterAddresses, specOf } from './service.ts'

/** The class of LoadBalancers that are exposed to the tailnet. */
export const loadBalancerClass = 'tailscale'

/** Whether a Service asks to be reachable from the tailnet by a node of its own, and not by a group of proxies. */
export function isExposed(
  service: KubeObject,
  { isDefaultLoadBalancer }: Pick<OperatorSettings, 'isDefaultLoadBalancer'>,
): boolean {
  if (service.metadata.annotations?.[annotations.proxyGroup.name] !== undefined) return false
  const spec = specOf(service)
  const asked = textOf(service, 'expose') === 'true'
  // What L3 egress has rewritten leads to its own proxy.
  if (spec.type === 'ExternalName') return asked && service.metadata.annotations?.[notes.beforeEgress] === undefined
  if (spec.clusterIP !== 'None' && clusterAddresses(spec).length === 0) return false
  if (asked) return true
  if (spec.type !== 'LoadBalancer') return false
  return spec.loadBalancerClass === undefined ? isDefaultLoadBalancer : spec.loadBalancerClass === loadBalancerClass
}

const targets = ['tailnetIp', 'oldTailnetIp', 'tailnetFqdn'] as const

/** Whether a Service names a target in the tailnet. */
export const hasTarget = (service: KubeObject): boolean => targets.some((key) => textOf(service, key) !== undefined)

/** The tailnet name that a Service asks for, as its annotation has it: it may be invalid. */
export const nodeNameOf = (service: KubeObject): string =>
  textOf(service, 'hostname') ?? `${service.metadata.namespace}-${service.metadata.name}`
