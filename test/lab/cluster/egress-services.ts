import type { KubeObject } from './kubectl.ts'
import { proxyNamespace } from './proxy.ts'

/** A user's Service that leads into the tailnet by way of a ProxyGroup. */
export type EgressSpec = {
  /** Of the user's Service, in the namespace `default`. */
  readonly name: string
  readonly target: { readonly ip?: string; readonly fqdn?: string }
  readonly ports: readonly EgressPort[]
}

export type EgressPort = {
  /** Of the Service, and of the target. */
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
  /** Of the Pods, from 10000 to 10999, no other Service's of the group. */
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

/** The name of an entry. */
export const keyOf = ({ name }: Pick<EgressSpec, 'name'>): string => `default-${name}`

/** The ClusterIP Service that an operator makes, without a selector, and the user's Service, which leads to it by its name. */
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
