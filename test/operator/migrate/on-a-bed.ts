import { beforeAll, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { lineOf } from '../../../lib/finding.ts'
import { lineOfChange } from '../../../operator/migrate/change.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import type { CheckBed } from '../check/check-bed.ts'
import { namespace } from '../operator-process.ts'

const encoded = (text: string): string => Buffer.from(text).toString('base64')

/** What Tailscale's operator leaves of a Service `web` that it has exposed. */
function leftOf(uid: string): readonly KubeObject[] {
  const labels = labelsOf({ type: 'svc', namespace: 'default', name: 'web' })
  const name = 'ts-web-x7k2p'
  const metadata = { name, namespace, labels }
  const container = { name: 'tailscale', image: 'theirs', env: [{ name: 'TS_DEST_IP', value: '10.96.0.7' }] }
  const spec = { serviceAccountName: 'proxies', containers: [{ ...container, securityContext: { privileged: true } }] }
  const template = { metadata: { labels: { ...labels, app: uid } }, spec }
  const selector = { matchLabels: { app: uid } }
  const headless = { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack', selector: { app: uid } }
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: headless },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, name: `${name}-0` },
      data: { 'cap-107.hujson': encoded('{}'), device_id: encoded('n1CNTRL') },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: { replicas: 1, serviceName: name, selector, template },
    },
  ]
}

const predecessor = (replicas: number): KubeObject => {
  const selector = { app: 'theirs' }
  const env = [{ name: 'OPERATOR_INITIAL_TAGS', value: 'tag:k8s-operator' }]
  const template = {
    metadata: { labels: selector },
    spec: { containers: [{ name: 'operator', image: 'theirs', env }] },
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'theirs', namespace },
    spec: { replicas, selector: { matchLabels: selector }, template },
  }
}

const service: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'web',
    namespace: 'default',
    annotations: { 'tailscale.com/expose': 'true' },
    finalizers: ['tailscale.com/finalizer'],
  },
  spec: { ports: [{ port: 80 }] },
}
const nameServer: KubeObject = {
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'DNSConfig',
  metadata: { name: 'dns' },
  spec: { nameserver: {} },
}

/** Tests of what a takeover would change, on a bed where nothing is to be done for any other object. */
export function takeovers(started: () => CheckBed): void {
  let at: CheckBed
  const kubectl = (...args: string[]) => at.bed.cluster.kubectl(args)
  beforeAll(async () => {
    at = started()
    await at.bed.cluster.apply(service)
    const { uid = '' } = (await at.bed.cluster.get<KubeObject>('service', 'web'))!.metadata
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: leftOf(uid) })
    await at.bed.cluster.kubectl(['create', '--field-manager=operator', '--filename=-'], { input })
    return async () => {
      await at.bed.cluster.apply({ ...service, metadata: { ...service.metadata, finalizers: [] } })
      await kubectl('delete', 'service', 'web')
      await kubectl(
        'delete',
        'statefulset,service,secret',
        `--namespace=${namespace}`,
        '--selector=tailscale.com/managed',
      )
      await kubectl('delete', 'deployment', 'theirs', `--namespace=${namespace}`)
    }
  })

  const lines = async (): Promise<readonly string[]> => {
    const { findings, changes } = await at.rehearse()
    return [...findings.map(lineOf), ...changes.map(lineOfChange)]
  }

  it('stops while Tailscale’s operator runs, or has what this one lacks', async () => {
    await at.bed.cluster.apply(predecessor(1), nameServer)
    expect(await lines()).toEqual([
      expect.stringMatching(/^error predecessor: Tailscale’s operator still runs: .*kubectl scale deployment theirs/),
      expect.stringMatching(/^error kinds: this operator does not manage: DNSConfig dns\. Stay with/),
    ])
    await kubectl('delete', 'dnsconfig', 'dns')
    await at.bed.cluster.apply(predecessor(0))
  })

  it('does not go on where it may not see whether Tailscale’s operator runs', async () => {
    const client = await at.bed.control.createApiClient({ tags: ['tag:k8s-operator'] })
    const { printed, exitCode } = await at.run(client, 'migrate', '--dry-run', '--json')
    expect(JSON.parse(printed)).toMatchObject({
      findings: [
        { check: 'settings', level: 'ok' },
        { check: 'predecessor', level: 'error', message: expect.stringContaining('403') },
        { check: 'kinds', level: 'ok' },
      ],
      changes: [],
    })
    expect(exitCode).toBe(1)
  })

  it('lists what would change, and changes nothing', async () => {
    const everything = async () => {
      const kinds = 'services,secrets,statefulsets,serviceaccounts,roles,rolebindings,leases,events,deployments'
      const all = await at.bed.cluster.list<KubeObject>(kinds)
      return (
        all
          // The API server renews a Lease of its own.
          .filter(({ kind, metadata }) => kind !== 'Lease' || metadata.namespace === namespace)
          .map(({ kind, metadata }) => [kind, metadata.name, metadata.resourceVersion])
      )
    }
    const before = await everything()
    const own = 'change Service default/web: '
    expect(await lines()).toEqual([
      'ok predecessor: Tailscale’s operator is stopped: the Deployment tailscale/theirs has no replicas',
      'ok kinds: all objects of tailscale.com are of kinds that this operator manages',
      'ok devices: no device and no Tailscale Service would be new or removed',
      'ok changes: 5 objects, of which 1 StatefulSets replace their Pods',
      `${own}Role tailscale/ts-web-x7k2p is new`,
      `${own}RoleBinding tailscale/ts-web-x7k2p is new`,
      expect.stringMatching(
        /Secret tailscale\/ts-web-x7k2p-0 is changed: data\.cap-107\.hujson, data\.cap-95\.hujson$/,
      ),
      `${own}ServiceAccount tailscale/ts-web-x7k2p is new`,
      expect.stringMatching(
        /StatefulSet tailscale\/ts-web-x7k2p is changed, and its Pods are replaced: containers\[tailscale\]\.image/,
      ),
    ])
    expect(await everything()).toEqual(before)
    expect(await at.bed.control.keys()).toEqual([])
  })
}
