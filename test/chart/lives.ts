import { expect } from 'vitest'
import { eventWriter } from '../../kube/controller/events.ts'
import { connect } from '../../kube/controller/cluster.ts'
import { systemClock } from '../../lib/clock.ts'
import { ApiBed, never } from '../kube/controller/api-bed.ts'
import type { KubeObject } from '../lab/cluster/kubectl.ts'
import { custom, ingress } from '../operator/operate.ts'
import { namespace } from '../operator/operator-process.ts'
import { connector, type EngineBed, expose, service } from '../operator/proxy/engine-bed.ts'

const upstreams = { finalizers: ['tailscale.com/finalizer'] }

const group = (name: string, type: string, spec: object = {}) =>
  custom('ProxyGroup', name, { type, replicas: 1, ...spec })

const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
/** The kind of Prometheus's operator. */
const serviceMonitors = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors', singular: 'servicemonitor' },
    scope: 'Namespaced',
    versions: [{ name: 'v1', served: true, storage: true, schema }],
  },
}

const ordered = { service: 'ordered', set: 'ts-ordered-abcde', pod: 'ts-ordered-abcde-0' }

/** Leaves what an operator of Tailscale's has made: a StatefulSet that makes its Pods in order. None runs meanwhile. */
export async function leaveOrdered({ agents, bed: { cluster } }: EngineBed): Promise<void> {
  const { service: name, set, pod } = ordered
  await cluster.apply(service(name, expose))
  const app = (await cluster.get('service', name))!.metadata['uid'] as string
  const labels = { app, 'tailscale.com/managed': 'true' }
  const ofParent = {
    'tailscale.com/parent-resource': name,
    'tailscale.com/parent-resource-ns': 'default',
    'tailscale.com/parent-resource-type': 'svc',
  }
  const containers = [{ name: 'tailscale', image: 'a' }]
  agents.fault(pod, 'never-ready')
  await cluster.apply({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: set, namespace, labels: { ...labels, ...ofParent } },
    spec: {
      replicas: 1,
      serviceName: set,
      podManagementPolicy: 'OrderedReady',
      selector: { matchLabels: { app } },
      template: { metadata: { labels }, spec: { serviceAccountName: 'operator', containers } },
    },
  })
}

/** The StatefulSet has another template by now than its Pod, which does not start, so that the operator deletes that. */
async function unstick({ agents, bed: { cluster } }: EngineBed): Promise<void> {
  const status = JSON.stringify({ status: { updateRevision: 'next' } })
  const patch = ['--subresource=status', '--type=merge', `--patch=${status}`]
  await cluster.kubectl(['patch', 'statefulset', ordered.set, `--namespace=${namespace}`, ...patch])
  await expect
    .poll(async () => (await cluster.list('events', 'default')).map(({ reason }) => reason))
    .toContain('ProxyPodReplaced')
  agents.fault(ordered.pod, undefined)
}

const lived = [
  'service/lived',
  'service/outward',
  'service/through',
  'service/ordered',
  'ingress/site',
  'ingress/shared',
  'connector/lived',
  'recorder/lived',
  'proxyclass/watched',
  'proxygroup/many-out',
  'proxygroup/many-in',
  'proxygroup/many-api',
  'tailnet/other',
  'dnsconfig/names',
  'peerrelay/relay',
  'proxygrouppolicy/policy',
]

const unmanaged = [
  ['tailnet', 'other'],
  ['dnsconfig', 'names'],
  ['peerrelay', 'relay'],
  ['proxygrouppolicy', 'policy'],
] as const

/** Whether the operator has said something of an object. */
async function said({ bed: { cluster } }: EngineBed, kind: string, name: string): Promise<boolean> {
  const object = await cluster.get<{ status?: { conditions?: readonly unknown[] } }>(kind, name)
  return (object?.status?.conditions ?? []).length > 0
}

/**
 * Has the operator, which runs, do for each kind all that it can be asked for, and gives what has to be removed then.
 * Nothing of it is left to chance: what the operator does only when something is not well is brought about, too.
 */
export async function live(at: EngineBed): Promise<readonly string[]> {
  const { cluster } = at.bed
  const metrics = { enable: true, serviceMonitor: { enable: true } }
  const backend = service('backend', {}, { clusterIP: undefined })
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'backend', namespace: 'default', labels: { 'kubernetes.io/service-name': 'backend' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.2.0.9'], conditions: { ready: true } }],
    ports: [{ port: 80 }],
  }
  const through = { 'tailscale.com/tailnet-ip': '100.64.0.8', 'tailscale.com/proxy-group': 'many-out' }
  await cluster.apply(serviceMonitors)
  await cluster.apply(
    backend,
    slice,
    custom('ProxyClass', 'watched', { metrics }, upstreams),
    connector('lived', { hostname: 'lived', proxyClass: 'watched' }),
    custom('Recorder', 'lived', { enableUI: true }),
    service('lived', expose),
    service('outward', { 'tailscale.com/tailnet-ip': '100.64.0.9', 'culvert/allow-from': '*' }),
    ingress('site', {}),
    group('many-out', 'egress'),
    group('many-in', 'ingress'),
    group('many-api', 'kube-apiserver', { kubeAPIServer: { mode: 'noauth' } }),
    service('through', through, { type: 'ExternalName', externalName: 'unused', selector: undefined }),
    ingress('shared', { 'tailscale.com/proxy-group': 'many-in' }),
    custom('Tailnet', 'other', { credentials: { secretName: 'a' } }, upstreams),
    custom('DNSConfig', 'names', { nameserver: {} }, upstreams),
    custom('PeerRelay', 'relay', {}),
    custom('ProxyGroupPolicy', 'policy', { egress: [] }, { namespace: 'default' }),
  )
  const ready = (kind: string, name: string) => expect.poll(() => at.ready(kind, name), { message: name }).toBe('True')
  await ready('connector', 'lived')
  await ready('recorder', 'lived')
  await ready('service', 'lived')
  await ready('service', 'outward')
  await ready('service', 'through')
  for (const name of ['many-out', 'many-in', 'many-api']) await ready('proxygroup', name)
  type Served = KubeObject & { readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } } }
  const entries = async (name: string) => (await cluster.get<Served>('ingress', name))?.status?.loadBalancer?.ingress
  for (const name of ['site', 'shared']) await expect.poll(() => entries(name), { message: name }).toHaveLength(1)
  for (const [kind, name] of unmanaged) await expect.poll(() => said(at, kind, name), { message: name }).toBe(true)
  await unstick(at)
  await ready('service', 'ordered')
  // The leader makes its Lease anew.
  await cluster.kubectl(['delete', 'lease', 'culvert-operator', `--namespace=${namespace}`])
  await expect.poll(() => cluster.get('lease', 'culvert-operator', namespace)).toBeDefined()
  return lived
}

/** Tells the same twice, with more than a minute between, as the operator would. */
export async function tellTwice(at: EngineBed): Promise<void> {
  await using kube = await ApiBed.start(at.bed)
  const token = (await at.bed.cluster.token(namespace, 'operator')).trim()
  const { api: own } = await connect(kube.kubeconfig('operator', { token }))
  let later = 0
  const clock = { ...systemClock, now: () => systemClock.now() + later }
  const problems: (string | undefined)[] = []
  const tell = eventWriter(own, { component: 'culvert-operator', clock, problem: (text) => problems.push(text) }, never)
  const about = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'backend', namespace: 'default', uid: 'a' } }
  for (const minutes of [0, 2]) {
    later = minutes * 60_000
    await tell(about, { type: 'Normal', reason: 'Lived', message: 'as before' })
  }
  expect(problems.filter((text) => text !== undefined)).toEqual([])
}
