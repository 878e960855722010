import { createHash } from 'node:crypto'
import type { KubeObject } from '../../kube/controller/object.ts'
import { some } from '../../lib/some.ts'
import type { Condition } from '../objects/conditions.ts'
import type { ClusterService } from './cluster-service.ts'

/** What a Service waits for, or why it cannot be. */
export type Problem = { readonly reason: 'EgressSvcInvalid' | 'ProxyGroupNotReady'; readonly message: string }

export type Standing = {
  /** The group that the Service asks for. */
  readonly group: string
  /** Why what the Service asks for now is not done; what was done before goes on. */
  readonly problem: Problem | undefined
  /** Why the cluster does not have what it should for the Service. */
  readonly failed: string | undefined
  /** Its ClusterIP Service, once it is there with its EndpointSlices. */
  readonly service: ClusterService | undefined
  /** Where it leads. */
  readonly target: string
  /** The group's ConfigMap has it. */
  readonly isMounted: boolean
  /** The group's replicas, and why each does not take its connections; undefined: it does. */
  readonly replicas: readonly { readonly name: string; readonly lacks: string | undefined }[]
}

const condition = (type: string, status: Condition['status'], reason: string, message: string): Condition => ({
  type,
  status,
  reason,
  message,
})

/** How a Service of an egress group stands, in the words of Tailscale's operator. */
export const conditions = (standing: Standing): readonly Condition[] => [
  valid(standing),
  ...configured(standing),
  ready(standing),
]

const ours: ReadonlySet<string> = new Set([
  'TailscaleEgressSvcValid',
  'TailscaleEgressSvcConfigured',
  'TailscaleEgressSvcReady',
])

export function hasOurConditions({ status }: KubeObject): boolean {
  const { conditions: all = [] } = (status ?? {}) as { readonly conditions?: readonly Partial<Condition>[] }
  return all.some(({ type }) => ours.has(type ?? ''))
}

function valid({ problem, group }: Standing): Condition {
  if (problem === undefined)
    return condition(
      'TailscaleEgressSvcValid',
      'True',
      'EgressSvcValid',
      `the proxies of ProxyGroup "${group}" serve it`,
    )
  return condition(
    'TailscaleEgressSvcValid',
    problem.reason === 'EgressSvcInvalid' ? 'False' : 'Unknown',
    problem.reason,
    problem.message,
  )
}

/** Once it is configured it stays so. Until then it is only told what fails, not what is about to come. */
function configured({ failed, service, group, isMounted }: Standing): readonly Condition[] {
  if (failed !== undefined)
    return [condition('TailscaleEgressSvcConfigured', 'False', `ConfigurationFailed:ProxyGroup:${group}`, failed)]
  if (service === undefined || !isMounted) return []
  const { key, target, ports } = service
  const digest = createHash('sha256')
    .update(JSON.stringify({ group: service.group, key, target, ports }))
    .digest('hex')
  const reason = `ConfiguredFor:ProxyGroup:${service.group}:Config:${digest}`
  return [
    condition('TailscaleEgressSvcConfigured', 'True', reason, `ConfigMap "${service.group}-egress-config" has it`),
  ]
}

function ready({ service, target, replicas, isMounted }: Standing): Condition {
  const is = (status: Condition['status'], reason: string, message: string) =>
    condition('TailscaleEgressSvcReady', status, reason, message)
  if (service === undefined || !isMounted)
    return is('False', 'ClusterResourcesNotReady', 'what the proxies and the cluster need for it is not there yet')
  if (replicas.length === 0) return is('False', 'NoProxiesConfigured', `ProxyGroup "${service.group}" has no replicas`)
  const lacking = replicas.filter(({ lacks }) => lacks !== undefined)
  const count = replicas.length - lacking.length
  const words = lacking.map(({ name, lacks }) => `${name}: ${lacks}`)
  const counted = `${count} of ${replicas.length} replicas forward to ${target}`
  const message = lacking.length === 0 ? counted : `${counted}; ${some(words)}`
  if (count === 0) return is('False', 'NotReadyToRouteTraffic', message)
  return is('True', lacking.length === 0 ? 'ReadyToRouteTraffic' : 'PartiallyReadyToRouteTraffic', message)
}
