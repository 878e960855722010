import type { KubeObject } from '../../kube/controller/object.ts'
import { peers } from '../l3-egress/access.ts'
import { labelsOf } from '../objects/parent.ts'
import type { ClusterService } from './cluster-service.ts'

type Protocol = 'TCP' | 'UDP'

/**
 * A NetworkPolicy for the Pods of a group: to the ports of a Service that says who may use it, only those may connect;
 * to all others anybody, as without a policy. Undefined if no Service says so: then there is none.
 */
export function groupAccess(
  group: string,
  namespace: string,
  services: readonly ClusterService[],
): KubeObject | undefined {
  const restricted = services.filter(({ allowFrom }) => allowFrom !== undefined)
  if (restricted.length === 0) return undefined
  const labels = labelsOf({ type: 'proxygroup', namespace: '', name: group })
  const ports = restricted.flatMap((service) => service.ports)
  const allowed = Map.groupBy(
    restricted.filter(({ allowFrom }) => allowFrom !== undefined && allowFrom.length > 0),
    ({ allowFrom }) => JSON.stringify(allowFrom),
  )
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `${group}-egress`, namespace, labels },
    spec: {
      podSelector: { matchLabels: labels },
      policyTypes: ['Ingress'],
      ingress: [
        { ports: (['TCP', 'UDP'] as const).flatMap((protocol) => allBut(protocol, portsOf(protocol, ports))) },
        ...[...allowed.values()].map((same) => ({
          from: peers(same[0]?.allowFrom ?? []),
          ports: same.flatMap((service) =>
            service.ports.map(({ protocol, matchPort }) => ({ protocol, port: matchPort })),
          ),
        })),
      ],
    },
  }
}

const portsOf = (of: Protocol, ports: ClusterService['ports']): readonly number[] =>
  ports.filter(({ protocol }) => protocol === of).map(({ matchPort }) => matchPort)

/** Ranges of all ports but these. */
function allBut(protocol: Protocol, ports: readonly number[]): readonly object[] {
  const ends = [0, ...new Set(ports), 65_536].toSorted((one, other) => one - other)
  return ends.slice(1).flatMap((next, index) => {
    const [port, endPort] = [ends[index]! + 1, next - 1]
    if (port > endPort) return []
    return port === endPort ? { protocol, port } : { protocol, port, endPort }
  })
}
