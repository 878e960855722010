import type { KubeObject } from '../../../kube/controller/object.ts'
import {
  clusterService,
  type Former,
  portKey,
  readClusterService,
} from '../../../operator/group-egress/cluster-service.ts'
import type { RequestedPort } from '../../../operator/group-egress/request.ts'
import type { EgressEntry } from '../../../wire/egress-services.ts'
import { renderEgressStatus } from '../../../wire/services-status.ts'
import { parseAddress } from '../../../lib/address.ts'
import { settings } from '../a-world.ts'

const { namespace } = settings
const tcp: RequestedPort = { name: 'postgres', port: 5432, protocol: 'TCP' }

type Options = {
  readonly parent?: { readonly namespace: string; readonly name: string }
  readonly group?: string
  readonly key?: string
  /** Ports of the Pods by those of the Service. */
  readonly ports?: Readonly<Record<number, number>>
  readonly target?: { readonly ip: string; readonly fqdn: string }
  readonly former?: Former
  readonly allowFrom?: '*' | readonly string[]
  readonly families?: readonly ('IPv4' | 'IPv6')[]
  readonly created?: string
}

let made = 0

/** A ClusterIP Service as the cluster has it. */
export function inCluster(options: Options = {}): KubeObject {
  const { parent = { namespace: 'apps', name: 'db' }, group = 'eg', families = ['IPv4', 'IPv6'] } = options
  const ports = Object.entries(options.ports ?? { 5432: 10_000 }).map(
    ([port, matchPort]) => [{ ...tcp, name: `p${port}`, port: Number(port) }, matchPort] as const,
  )
  const { metadata, spec, ...rest } = clusterService({
    name: `ts-${parent.name}-abcde`,
    parent: { type: 'svc', ...parent },
    group,
    key: options.key ?? `${parent.namespace}-${parent.name}`,
    allowFrom: options.allowFrom,
    former: options.former,
    target: options.target ?? { ip: '', fqdn: 'db.lab.ts.net' },
    ports: ports.map(([port]) => port),
    allocated: new Map(ports.map(([port, matchPort]) => [portKey(port), matchPort])),
    namespace,
  })
  made += 1
  const clusterIPs = families.map((family) => (family === 'IPv4' ? `10.96.1.${made}` : `fd96::1:${made}`))
  return {
    ...rest,
    metadata: {
      ...metadata,
      uid: `uid-${parent.namespace}-${parent.name}`,
      creationTimestamp: options.created ?? new Date(made * 1000).toISOString(),
    },
    spec: { ...(spec as object), clusterIP: clusterIPs[0], clusterIPs },
  }
}

export const read = (options: Options = {}) => readClusterService(inCluster(options))!

/** A Pod of a group. */
export const pod = (ordinal: number, more: { metadata?: object; ips?: readonly string[] } = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `eg-${ordinal}`, namespace, uid: `uid-pod-${ordinal}`, ...more.metadata },
  status: { podIPs: (more.ips ?? addresses(ordinal)).map((ip) => ({ ip })) },
})

export const addresses = (ordinal: number): readonly [string, string] => [`10.88.0.${ordinal}`, `fd88::${ordinal + 1}`]

/** The state Secret of a replica that lists these, with the addresses of its Pod. */
export function state(ordinal: number, entries: readonly EgressEntry[], more: Partial<Reported> = {}): KubeObject {
  const [v4, v6] = addresses(ordinal)
  const { podIPv4 = v4, podIPv6 = v6, targets = ['100.64.0.9'] } = more
  const services = entries.map((service) => ({ service, addresses: targets.map((text) => parseAddress(text)!) }))
  const { text } = renderEgressStatus({ podIPv4, podIPv6, services }, 1_000_000)
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `eg-${ordinal}`, namespace, uid: `uid-secret-${ordinal}` },
    data: { 'egress-services': Buffer.from(text).toString('base64') },
  }
}

type Reported = { readonly podIPv4: string; readonly podIPv6: string; readonly targets: readonly string[] }
