import type { KubeObject } from '../../../kube/controller/object.ts'
import { findGroup } from '../../../operator/group/group.ts'
import type { GroupView } from '../../../operator/group/use.ts'
import { recordObject, type ServiceRecord } from '../../../operator/group-ingress/record.ts'
import { ingress, service, settings, worldOf } from '../a-world.ts'

const { namespace } = settings
const encoded = (texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))

export const proxyGroup = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'ProxyGroup',
  metadata: { name, uid: `uid-${name}` },
  spec: { type: 'ingress', replicas: 2, ...spec },
})

export const secret = (name: string, texts: Readonly<Record<string, string>>, labels: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace, labels: { 'tailscale.com/managed': 'true', ...labels } },
  data: encoded(texts),
})

export type ReplicaGiven = {
  readonly advertised?: readonly string[]
  readonly configured?: readonly string[]
  readonly forwarded?: object
  readonly podUid?: string
  readonly certificates?: object
  readonly accepted?: readonly string[]
}

/** A replica that runs: its Pod, its state and its config. */
export function replica(name: string, given: ReplicaGiven = {}): readonly KubeObject[] {
  const {
    advertised = [],
    configured = advertised,
    forwarded = {},
    podUid = `uid-${name}`,
    certificates,
    accepted,
  } = given
  const labels = { 'tailscale.com/parent-resource-type': 'proxygroup', 'tailscale.com/parent-resource': 'group' }
  return [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, uid: `uid-${name}`, labels: { 'tailscale.com/managed': 'true', ...labels } },
      status: { podIPs: [{ ip: '10.88.0.1' }, { ip: 'fd88::1' }] },
    },
    secret(
      name,
      {
        pod_uid: podUid,
        device_fqdn: `${name}.example.ts.net.`,
        'ingress-config.json': JSON.stringify({ configs: forwarded, podIPv4: '10.88.0.1', podIPv6: 'fd88::1' }),
        '_current-profile': 'profile-1',
        'profile-1': JSON.stringify({ Config: { NodeID: 'n1' }, AdvertiseServices: advertised }),
        ...(accepted !== undefined && { 'culvert-hosted': JSON.stringify(accepted) }),
        ...(certificates !== undefined && { 'culvert-certificates': JSON.stringify(certificates) }),
      },
      labels,
    ),
    secret(`${name}-config`, { 'cap-106.hujson': JSON.stringify({ AdvertiseServices: configured }) }, labels),
  ]
}

export const inGroup = (annotations: object = {}) => ({
  finalizers: [] as string[],
  annotations: { 'tailscale.com/proxy-group': 'group', ...annotations } as Record<string, string>,
})

/** An Ingress `app` of the group, to the Service `site`. */
export const app = (spec: object = {}, annotations: object = {}, metadata: object = {}): KubeObject =>
  ingress(
    'app',
    { tls: [{ hosts: ['app'] }], defaultBackend: { service: { name: 'site', port: { number: 80 } } }, ...spec },
    { ...inGroup(annotations), ...metadata },
  )
export const site = service('site')

/** A Service `db` of the group. */
export const db = (annotations: object = {}, spec: object = {}, metadata: object = {}): KubeObject =>
  service(
    'db',
    { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd96::7'], ...spec },
    { ...inGroup({ 'tailscale.com/expose': 'true', 'tailscale.com/hostname': 'db', ...annotations }), ...metadata },
  )

export const endpoints = (name: string, ready: boolean): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-1`, namespace: 'apps', labels: { 'kubernetes.io/service-name': name } },
  endpoints: [{ conditions: { ready } }],
})

export const recordFor = (type: 'svc' | 'ingress', name: string, more: Partial<ServiceRecord> = {}): KubeObject =>
  recordObject(
    {
      service: `svc:${name}`,
      parent: { type, namespace: 'apps', name },
      group: 'group',
      former: [],
      leaving: [],
      addresses: ['100.100.0.1', 'fd7a::1'],
      fqdn: `${name}.example.ts.net`,
      refused: undefined,
      ...more,
    },
    namespace,
  )

/** The Secret of the Ingress's certificate, issued or not. */
export const certificate = (crt: string): KubeObject =>
  secret(
    'app.example.ts.net',
    { 'tls.crt': crt, 'tls.key': crt },
    {
      'tailscale.com/proxy-group': 'group',
      'tailscale.com/parent-resource-type': 'ingress',
      'tailscale.com/parent-resource': 'app',
      'tailscale.com/parent-resource-ns': 'apps',
    },
  )

/** What the use of the group sees with these objects in the cluster. */
export function viewOf(...objects: readonly KubeObject[]): GroupView {
  const world = worldOf(proxyGroup('group'), ...objects)
  const group = findGroup(world, 'group', settings)
  if ('missing' in group) throw new Error(group.missing)
  return { group, world, settings }
}

/** The mapping of the Service `db`. */
export const mapping = {
  IPv4Mapping: { TailscaleServiceIP: '100.100.0.1', ClusterIP: '10.96.0.7' },
  IPv6Mapping: { TailscaleServiceIP: 'fd7a::1', ClusterIP: 'fd96::7' },
}

/** The ConfigMap of the group with these contents of files. */
export const filesObject = (files: Readonly<Record<string, object>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'group-ingress-config', namespace },
  binaryData: encoded(Object.fromEntries(Object.entries(files).map(([name, value]) => [name, JSON.stringify(value)]))),
})
