import { isDeepStrictEqual } from 'node:util'
import type { EgressEntry } from './egress-services.ts'
import type { KubeObject } from './kubectl.ts'
import type { Pod } from './pods.ts'

/** A ClusterIP Service of an egress ProxyGroup. */
export type ClusterService = KubeObject & {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly spec: {
    readonly clusterIPs: readonly string[]
    readonly ports: readonly {
      readonly name: string
      readonly port: number
      readonly protocol: string
      readonly targetPort: number
    }[]
  }
}

/** The status of a replica in its state Secret: the services that it forwards. */
export type EgressStatus = {
  readonly podIPv4?: string
  readonly podIPv6?: string
  readonly services?: Readonly<Record<string, Pick<EgressEntry, 'tailnetTarget' | 'ports'>>> | null
}

/** A replica: its Pod, and the status in its state Secret. */
export type Replica = { readonly pod: Pod; readonly status: EgressStatus }

/** The key of the entry that belongs to a ClusterIP Service. */
export const entryOf = ({ metadata: { labels } }: ClusterService): string =>
  `${labels['tailscale.com/parent-resource-ns']}-${labels['tailscale.com/parent-resource']}`

/**
 * The EndpointSlices of a Service, one for each of its families: a Pod is an endpoint if it is not being deleted, and
 * its status has its own address and the service as it is configured.
 */
export function slicesOf(
  service: ClusterService,
  entry: EgressEntry | undefined,
  replicas: readonly Replica[],
): KubeObject[] {
  const { name, namespace, labels } = service.metadata
  return service.spec.clusterIPs.map((clusterIp) => {
    const family = clusterIp.includes(':') ? 'IPv6' : 'IPv4'
    const endpoints = replicas.flatMap((replica) => {
      const address = addressOf(replica.pod, family)
      return address !== undefined && forwards(replica, entryOf(service), entry, family, address)
        ? [
            {
              addresses: [address],
              hostname: replica.pod.metadata.uid,
              conditions: { ready: true, serving: true, terminating: false },
            },
          ]
        : []
    })
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-${family.toLowerCase()}`,
        namespace: namespace!,
        labels: {
          ...labels,
          'kubernetes.io/service-name': name,
          'endpointslice.kubernetes.io/managed-by': 'tailscale.com',
        },
      },
      addressType: family,
      ports: service.spec.ports.map((port) => ({ name: port.name, port: port.targetPort, protocol: port.protocol })),
      endpoints,
    }
  })
}

function addressOf({ metadata, status }: Pod, family: 'IPv4' | 'IPv6'): string | undefined {
  if (metadata['deletionTimestamp'] !== undefined) return undefined
  return (status.podIPs ?? []).map(({ ip }) => ip).find((ip) => ip.includes(':') === (family === 'IPv6'))
}

function forwards(
  { status }: Replica,
  key: string,
  entry: EgressEntry | undefined,
  family: 'IPv4' | 'IPv6',
  address: string,
): boolean {
  const listed = status.services?.[key]
  if (entry === undefined || listed === undefined || status[`pod${family}`] !== address) return false
  const asSet = (ports: EgressEntry['ports']) =>
    new Set(ports.map(({ protocol, matchPort, targetPort }) => `${protocol} ${matchPort} ${targetPort}`))
  return (
    isDeepStrictEqual(listed.tailnetTarget, entry.tailnetTarget) &&
    isDeepStrictEqual(asSet(listed.ports), asSet(entry.ports))
  )
}
