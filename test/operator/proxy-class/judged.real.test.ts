import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { ProxyClassSpec } from '../../../operator/schemas/proxy-class.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { custom, everything, operate, playedTailnet, startPlayed } from '../operate.ts'
import { examples } from '../schemas/examples.ts'

type Played = Awaited<ReturnType<typeof startPlayed>>
let bed: Played['bed']
let real: Played['real']
let shown: Played['shown']
let end: Played['end']
beforeAll(async () => {
  ;({ bed, real, shown, end } = await startPlayed())
})
afterAll(() => end())
beforeEach(() => printLogsOnFailure(bed))

const made = (name: string, spec: object) => custom('Connector', name, spec)

test('a ProxyClass is waited for, applied, and kept in force when it becomes invalid', async () => {
  await using operator = await operate(real, playedTailnet())
  const proxyClass = (spec: object) => custom('ProxyClass', 'wide', spec)
  const image = async (): Promise<unknown> => {
    const [set] = await shown.children('statefulset', 'classy')
    const { template } = set!['spec'] as {
      template: { spec: { containers: { image: string }[]; hostNetwork?: boolean } }
    }
    return [template.spec.containers.map((one) => one.image), template.spec.hostNetwork]
  }
  await bed.cluster.apply(made('classy', { exitNode: true, proxyClass: 'wide' }))
  await expect.poll(() => shown.standing('classy')).toContain('ConnectorCreating: ProxyClass "wide" does not exist')
  expect(await shown.children(everything, 'classy')).toEqual([])

  const pod = { tailscaleContainer: { image: 'example.com/first:1' } }
  const template = { spec: { hostNetwork: true, containers: [{ name: 'logs', image: 'example.com/logs:1' }] } }
  await bed.cluster.apply(proxyClass({ statefulSet: { pod, template } }))
  await expect.poll(() => shown.standing('classy')).toBe('ConnectorCreated: 1 of 1 device is up')
  expect(await image()).toEqual([['example.com/first:1', 'example.com/logs:1'], true])
  await expect
    .poll(() => shown.standing('wide', 'proxyclass', 'ProxyClassReady'))
    .toBe('ProxyClassValid: Proxies can use the class.')

  await bed.cluster.apply(proxyClass({ statefulSet: { pod: { tailscaleContainer: { image: 'A B' } } } }))
  await expect.poll(() => shown.standing('wide', 'proxyclass', 'ProxyClassReady')).toContain('ProxyClassInvalid: ')
  await expect.poll(() => shown.standing('classy')).toContain('ProxyClass "wide" is invalid')
  expect(await image()).toEqual([['example.com/first:1', 'example.com/logs:1'], true])

  await bed.cluster.apply(
    proxyClass({ statefulSet: { pod: { tailscaleContainer: { image: 'example.com/second:1' } } } }),
  )
  await expect.poll(() => shown.standing('classy')).toBe('ConnectorCreated: 1 of 1 device is up')
  expect(await image()).toEqual([['example.com/second:1'], undefined])
  await bed.cluster.kubectl(['delete', 'connector/classy', 'proxyclass/wide', '--timeout=300s'])
  expect(operator.bugs()).toEqual([])
})

test('a class with every field is accepted by the API', async () => {
  await using operator = await operate(real, playedTailnet())
  const every = examples().find(({ kind, metadata }) => kind === 'ProxyClass' && metadata.name === 'prod')!
  const { spec } = every as KubeObject & { spec: ProxyClassSpec }
  // There is no kubelet that would end a Pod on a node.
  const statefulSet = { ...spec.statefulSet, pod: { ...spec.statefulSet?.pod, nodeName: undefined } }
  await bed.cluster.apply(custom('ProxyClass', 'every', { ...spec, statefulSet, metrics: { enable: true } }))
  await bed.cluster.apply(made('every', { exitNode: true, proxyClass: 'every' }))
  await expect.poll(() => shown.children('statefulset', 'every')).toHaveLength(1)
  await bed.cluster.kubectl(['delete', 'connector/every', 'proxyclass/every', '--timeout=300s'])
  expect(operator.bugs()).toEqual([])
})

test('a ServiceMonitor is possible as soon as its kind exists', async () => {
  await using operator = await operate(real, playedTailnet())
  const spec = { metrics: { enable: true, serviceMonitor: { enable: true } } }
  await bed.cluster.apply(custom('ProxyClass', 'watched', spec))
  const ready = () => shown.standing('watched', 'proxyclass', 'ProxyClassReady')
  await expect
    .poll(ready)
    .toContain('the cluster has no CustomResourceDefinition servicemonitors.monitoring.coreos.com')
  const names = { kind: 'ServiceMonitor', plural: 'servicemonitors', singular: 'servicemonitor' }
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  await bed.cluster.apply({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'servicemonitors.monitoring.coreos.com' },
    spec: {
      group: 'monitoring.coreos.com',
      names,
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  })
  await expect.poll(ready).toContain('ProxyClassValid')
  await bed.cluster.kubectl(['delete', 'proxyclass/watched', 'crd/servicemonitors.monitoring.coreos.com'])
  expect(operator.bugs()).toEqual([])
})

test('objects of kinds that are not managed say so, and what needs nothing can be deleted', async () => {
  await using operator = await operate(real, playedTailnet())
  const finalizers = ['tailscale.com/finalizer']
  const of = (kind: string, spec: object, metadata = {}) => custom(kind, 'left', spec, metadata)
  await bed.cluster.apply(
    of('Tailnet', { credentials: { secretName: 'a' } }, { finalizers }),
    of('DNSConfig', { nameserver: {} }, { finalizers }),
    of('ProxyGroup', { type: 'kube-apiserver', tailnet: 'left' }, { finalizers }),
    of('PeerRelay', {}),
    of('ProxyGroupPolicy', { egress: [] }, { namespace: 'default' }),
  )
  const kinds = ['tailnet', 'dnsconfig', 'proxygroup', 'peerrelay', 'proxygrouppolicy']
  for (const kind of kinds)
    await expect
      .poll(() => shown.standing('left', kind, 'NotManaged'))
      .toContain('NotManaged: This operator does not manage')
  expect((await bed.cluster.kubectl(['get', 'pg'])).stdout).toMatch(
    /left\s+ProxyGroupTailnetUnavailable\s+kube-apiserver/,
  )

  await bed.cluster.kubectl(['delete', 'tailnet/left', 'dnsconfig/left', '--timeout=300s'])
  await bed.cluster.kubectl(['delete', 'proxygroup/left', '--wait=false'])
  await expect.poll(() => shown.standing('left', 'proxygroup', 'NotManaged')).toContain('remove the finalizer')
  await bed.cluster.kubectl(['patch', 'proxygroup/left', '--type=merge', '--patch={"metadata":{"finalizers":null}}'])
  expect(operator.bugs()).toEqual([])
})
