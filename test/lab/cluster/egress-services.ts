import type { KubeObject } from './kubectl.ts'
import { proxyNamespace } from './proxy.ts'

/** A user's Service whose target is in the tailnet, through a ProxyGroup. */
export type EgressSpec = {
  /** The name of the user's Service, in the namespace `default`. */
  readonly name: string
  readonly target: { readonly ip?: string; readonly fqdn?: string }
  readonly ports: readonly EgressPort[]
}

export type EgressPort = {
  /** The port of the Service, and of the target. */
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
  /** The Pods' port, from 10000 to 10999, unique within the group. */
  readonly matchPort: number
}

/** An entry of the file `egress-services`. */
export type EgressEntry = {
  readonly healthCheckEndpoint: string
  readonly tailnetTarget: { readonly ip: string; readonly fqdn: string }
  readonly ports: readonly {
    readonly protocol: string
    readonly matchPort: number
    readonly targetPort: number
  }[]
}

const healthPort = 9002

const clusterService = (name: string) => `ts-${name}`
const clusterName = (name: string) => `${clusterService(name)}.${proxyNamespace}.svc.cluster.local`

/** The key of an entry. */
export const keyOf = ({ name }: Pick<EgressSpec, 'name'>): string => `default-${name}`

/** The ClusterIP Service that an operator makes, without a selector, and the user's Service, an ExternalName for it. */
export function egressObjects(group: string, { name, ports }: EgressSpec): KubeObject[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: clusterService(name),
        namespace: proxyNamespace,
        labels: {
          'tailscale.com/managed': 'true',
          'tailscale.com/parent-resource-type': 'svc',
          'tailscale.com/parent-resource': name,
          'tailscale.com/parent-resource-ns': 'default',
          'tailscale.com/proxy-group': group,
          'tailscale.com/svc-type': 'egress',
        },
      },
      spec: {
        ipFamilyPolicy: 'PreferDualStack',
        ports: [
          ...ports.map(({ port, protocol, matchPort }) => ({
            name: `${protocol.toLowerCase()}-${port}`,
            port,
            protocol,
            targetPort: matchPort,
          })),
          { name: 'tailscale-health-check', port: healthPort, protocol: 'TCP', targetPort: healthPort },
        ],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: {
        type: 'ExternalName',
        externalName: clusterName(name),
        ports: ports.map(({ port, protocol }) => ({ name: `${protocol.toLowerCase()}-${port}`, port, protocol })),
      },
    },
  ]
}

export function egressEntry({ name, target, ports }: EgressSpec): EgressEntry {
  return {
    healthCheckEndpoint: `http://${clusterName(name)}:${healthPort}/healthz`,
    tailnetTarget: { ip: target.ip ?? '', fqdn: target.fqdn ?? '' },
    ports: ports.map(({ protocol, matchPort, port }) => ({ protocol, matchPort, targetPort: port })),
  }
}

/** The files of a group's ConfigMap. */
export const egressFiles = (replicas: number, entries: Readonly<Record<string, unknown>>): Record<string, string> => ({
  'hep-pings': String(replicas * 3),
  'egress-services': JSON.stringify(entries),
})
