import type { KubeObject } from '../../../kube/controller/object.ts'
import { custom, ingress } from '../operate.ts'
import { endpoints } from '../group-ingress/group-bed.ts'

/** The image that proxies of Tailscale's operator have. */
export const theirImage = 'lab.test/theirs:1'

type Texts = Readonly<Record<string, string>>

const service = (name: string, annotations: Texts, spec: object = {}, labels: Texts = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name,
    namespace: 'default',
    labels,
    annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`tailscale.com/${key}`, value])),
  },
  spec: { ports: [{ port: 80 }], ...spec },
})
const balanced = { type: 'LoadBalancer', loadBalancerClass: 'tailscale' }
const outside = { type: 'ExternalName', externalName: 'placeholder' }

/** Its name is that of an image which tests look for. */
const container = { image: theirImage }

/** What users ask for: of every kind that both operators have. */
export const asked: readonly KubeObject[] = [
  custom('ProxyClass', 'labelled', { statefulSet: { labels: { team: 'net' }, pod: { labels: { team: 'net' } } } }),
  custom('Connector', 'router', { hostname: 'router', subnetRouter: { advertiseRoutes: ['10.40.0.0/14'] } }),
  custom('Recorder', 'rec', { enableUI: true, statefulSet: { pod: { labels: { team: 'net' }, container } } }),
  custom('ProxyGroup', 'out', { type: 'egress', replicas: 2 }),
  custom('ProxyGroup', 'in', { type: 'ingress', replicas: 2 }),
  custom('ProxyGroup', 'api', {
    type: 'kube-apiserver',
    replicas: 2,
    kubeAPIServer: { mode: 'noauth', hostname: 'k8s' },
  }),
  service('backend', {}),
  service('web', { expose: 'true' }, {}, { 'tailscale.com/proxy-class': 'labelled' }),
  service('balancer', {}, balanced),
  service('db', { 'tailnet-fqdn': 'warehouse.lab.ts.net' }, outside),
  service('remote', { 'tailnet-fqdn': 'warehouse.lab.ts.net', 'proxy-group': 'out' }, outside),
  ingress('site'),
  ingress('wiki', { 'tailscale.com/proxy-group': 'in' }),
  service('shared', { 'proxy-group': 'in', hostname: 'shared' }, balanced),
  endpoints('shared', true),
]

/** The names of the StatefulSets' Pods, without the letters that an operator chooses. */
export const pods = [
  'api-0',
  'api-1',
  'in-0',
  'in-1',
  'out-0',
  'out-1',
  'rec-0',
  'ts-balancer-0',
  'ts-db-0',
  'ts-router-0',
  'ts-site-0',
  'ts-web-0',
]

type Status = {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  readonly loadBalancer?: { readonly ingress?: readonly object[] }
}
const readyTypes: Readonly<Record<string, string>> = {
  Connector: 'ConnectorReady',
  Recorder: 'RecorderReady',
  ProxyGroup: 'ProxyGroupReady',
  ProxyClass: 'ProxyClassReady',
  web: 'TailscaleProxyReady',
  balancer: 'TailscaleProxyReady',
  db: 'TailscaleProxyReady',
  remote: 'TailscaleEgressSvcReady',
  shared: 'TailscaleIngressSvcConfigured',
}

/** Whether an object says that what it asks for is there. */
export function isProvided({ kind, metadata, status = {} }: KubeObject & { status?: Status }): boolean {
  const type = readyTypes[metadata.name] ?? readyTypes[kind]
  const hasEntries = (status.loadBalancer?.ingress ?? []).length > 0
  return type === undefined
    ? kind !== 'Ingress' || hasEntries
    : status.conditions?.some((one) => one.type === type && one.status === 'True') === true
}
