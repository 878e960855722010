import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { newName } from '../../../operator/proxy/name.ts'
import { publicMachineKey } from '../../../wire/machine-key.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { namespace } from '../operator-process.ts'
import { machineKeyFor } from '../played-state.ts'
import { refuse } from '../webhook.ts'
import { EngineBed, connector, expose, service } from './engine-bed.ts'

let at: EngineBed
beforeAll(async () => {
  at = await EngineBed.start()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(at.bed))

test('what belongs to somebody else stays, and the Service says so', async () => {
  await using _ = await at.operate()
  await at.bed.cluster.apply(service('web', {}))
  const name = newName((await at.bed.cluster.get<KubeObject>('service', 'web'))!.metadata)
  await at.bed.cluster.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } })
  await at.annotate('web', expose)
  await expect
    .poll(() => at.ready('service', 'web'))
    .toContain(`ServiceAccount "${name}" in namespace "${namespace}" exists already`)
  expect(await at.made('secrets,pods')).toEqual([])
  expect(await at.bed.control.keys()).toEqual([])
  await at.bed.cluster.kubectl(['delete', 'serviceaccount', name, `--namespace=${namespace}`])
  await at.annotate('web', { some: 'change' })
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  await at.remove('service', 'web')
  await at.nothingLeft()
})

test('a class that is not there is waited for, and a class that changes reaches its proxies, also the default one', async () => {
  await using _ = await at.operate({ PROXY_DEFAULT_CLASS: 'usual' })
  const proxyClass = (name: string, label: string, more: object = {}) => ({
    apiVersion: 'tailscale.com/v1alpha1',
    kind: 'ProxyClass',
    metadata: { name },
    spec: { statefulSet: { pod: { labels: { class: label } } }, ...more },
  })
  await at.bed.cluster.apply(
    service('own', { ...expose, 'tailscale.com/proxy-class': 'special' }),
    service('plain', expose),
  )
  await expect.poll(() => at.ready('service', 'own')).toContain('ProxyClass "special" does not exist')
  await expect.poll(() => at.ready('service', 'plain')).toContain('ProxyClass "usual" does not exist')
  expect(await at.made()).toEqual([])
  await at.bed.cluster.apply(proxyClass('special', 'one'), proxyClass('usual', 'two'))
  const labels = async () => {
    const pods = await at.bed.cluster.list<KubeObject>('pods', namespace)
    return pods
      .map(({ metadata }) => `${metadata.labels?.['tailscale.com/parent-resource']} ${metadata.labels?.['class']}`)
      .toSorted()
  }
  await expect.poll(labels).toEqual(['own one', 'plain two'])
  const metrics = async () => (await at.made('services')).filter((line) => line.includes('-metrics ')).length
  await at.bed.cluster.apply(proxyClass('usual', 'three', { metrics: { enable: true } }))
  await at.bed.cluster.apply(proxyClass('special', 'one', { metrics: { enable: true } }))
  await expect.poll(labels).toEqual(['own one', 'plain three'])
  await expect.poll(metrics).toBe(2)
  await at.bed.cluster.apply(proxyClass('special', 'one'))
  await expect.poll(metrics).toBe(1)
  const unusable = { template: { spec: { restartPolicy: 'Never' } } }
  await at.bed.cluster.apply(proxyClass('special', 'one', { statefulSet: unusable }))
  await expect.poll(() => at.ready('service', 'own')).toMatch(/ProxyClass "special".*"Never"/)
  await expect.poll(labels).toContain('own one')
  await at.remove('services', 'own', 'plain')
  await at.nothingLeft()
})

test('a Connector’s replicas come and go, each with a device of its own, and names may be long', async () => {
  await using operator = await at.operate()
  const name = `site.${'long-'.repeat(20)}name`
  await at.bed.cluster.apply(connector(name, { hostnamePrefix: 'site', replicas: 3 }))
  await expect.poll(() => at.ready('connector', name)).toBe('True')
  expect(await at.nodeNames()).toEqual(['site-0', 'site-1', 'site-2'])
  await at.bed.cluster.apply(connector(name, { hostnamePrefix: 'site', replicas: 1 }))
  await expect.poll(() => at.nodeNames()).toEqual(['site-0'])
  await expect.poll(async () => (await at.made('secrets,pods')).length).toBe(2)
  await at.bed.cluster.apply(connector(name, { hostnamePrefix: 'site', replicas: 0 }))
  await expect.poll(() => at.nodeNames()).toEqual([])
  await expect.poll(() => at.made('secrets,pods')).toEqual([])
  await at.bed.cluster.apply(connector(name, { hostnamePrefix: 'site', replicas: 2 }))
  await expect.poll(() => at.nodeNames()).toEqual(['site-0', 'site-1'])
  await expect.poll(() => at.ready('connector', name)).toBe('True')
  await at.remove('connector', name)
  await at.nothingLeft()
  expect(operator.errors).toEqual([])
})

test('Pod Security decides whether packets are forwarded in the kernel', async () => {
  const enforce = (level: string) =>
    at.bed.cluster.kubectl([
      'label',
      'namespace',
      namespace,
      `pod-security.kubernetes.io/enforce=${level}`,
      '--overwrite',
    ])
  await enforce('restricted')
  // Started now, since it may hear of the Services before it hears of the namespace.
  await using _ = await at.operate()
  try {
    await at.bed.cluster.apply(service('in', expose), service('out', { 'tailscale.com/tailnet-ip': '100.64.99.99' }))
    await expect.poll(() => at.ready('service', 'out')).toContain('enforces the Pod Security level restricted')
    await expect.poll(() => at.ready('service', 'in')).toBe('True')
    expect(await at.made('pods')).toHaveLength(1)
  } finally {
    await enforce('privileged')
  }
  await expect.poll(() => at.ready('service', 'out')).toBe('True')
  await at.remove('services', 'in', 'out')
  await at.nothingLeft()
})

test('a proxy that Tailscale’s operator has made is taken over: its name and device stay, its other fields go', async () => {
  await at.bed.cluster.apply(service('web', {}))
  const { uid = '' } = (await at.bed.cluster.get<KubeObject>('service', 'web'))!.metadata
  const labels = labelsOf({ type: 'svc', namespace: 'default', name: 'web' })
  const metadata = { name: 'ts-web-x7k2p', namespace, labels }
  const text = (value: string): string => Buffer.from(value).toString('base64')
  const machineKey = machineKeyFor('theirs')
  const { stableId } = await at.bed.control.createNode('default-web', { machineKey: publicMachineKey(machineKey)! })
  const container = {
    name: 'tailscale',
    image: 'theirs',
    env: [{ name: 'TS_THEIRS', value: 'x' }],
    securityContext: { privileged: true },
  }
  const theirs = [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: 'None', selector: { app: uid } } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, name: 'ts-web-x7k2p-0' },
      data: {
        'cap-95.hujson': text('{}'),
        'cap-107.hujson': text('{}'),
        device_id: text(stableId),
        _machinekey: text(machineKey),
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        replicas: 1,
        serviceName: 'ts-web-x7k2p',
        selector: { matchLabels: { app: uid } },
        template: {
          metadata: { labels: { ...labels, app: uid }, deletionGracePeriodSeconds: 10 },
          spec: { serviceAccountName: 'proxies', containers: [container] },
        },
      },
    },
  ]
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: theirs })
  await at.bed.cluster.kubectl(['create', '--field-manager=operator', '--filename=-'], { input })
  await at.annotate('web', expose)
  await using operator = await at.operate()
  const set = () => at.bed.cluster.get<KubeObject>('statefulset', 'ts-web-x7k2p', namespace)
  await expect.poll(set).toMatchObject({ spec: { template: { spec: { serviceAccountName: 'ts-web-x7k2p' } } } })
  const { spec } = (await set()) as { spec?: { template: { spec: { containers: readonly object[] } } } }
  const [main] = spec!.template.spec.containers
  expect(main).toMatchObject({ image: 'culvert/agent:unbundled', securityContext: { capabilities: { drop: ['ALL'] } } })
  expect(JSON.stringify(main)).not.toMatch(/TS_THEIRS|"privileged"/)
  expect((await at.made('statefulsets,secrets')).map((line) => line.split(' ')[1])).toEqual([
    'ts-web-x7k2p-0',
    'ts-web-x7k2p',
  ])
  expect(await at.bed.control.keys()).toEqual([])
  await at.remove('service', 'web')
  await at.nothingLeft()
  expect(operator.errors).toEqual([])
})

test('objects that an admission webhook refuses are told of, and made once it admits them', async () => {
  await using operator = await at.operate()
  const refused = { group: 'apps', resource: 'statefulsets', message: 'every workload needs an owner' }
  const selector = { matchLabels: { app: 'a' } }
  const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'a' }] } }
  const spec = { serviceName: 'a', selector, template }
  const example = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'example' }, spec }
  {
    await using _ = await refuse(at.bed, { ...refused, example })
    await at.bed.cluster.apply(service('web', expose))
    await expect.poll(() => at.ready('service', 'web')).toContain(`denied the request: ${refused.message}`)
    expect(await at.made('statefulsets,pods')).toEqual([])
    // Meanwhile it can be deleted.
    await at.remove('service', 'web')
    await at.nothingLeft()
    await at.bed.cluster.apply(service('web', expose))
    await expect.poll(() => at.ready('service', 'web')).toContain(refused.message)
  }
  await at.annotate('web', { some: 'change' })
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  await at.remove('service', 'web')
  await at.nothingLeft()
  expect(await operator.stop()).toBe(0)
})

test('a Service goes with its namespace, which waits for it', async () => {
  await using operator = await at.operate()
  const going = { ...service('web', expose), metadata: { name: 'web', namespace: 'going', annotations: expose } }
  await at.bed.cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'going' } }, going)
  await expect.poll(() => at.nodeNames()).toEqual(['going-web'])
  await at.remove('namespace', 'going')
  const found = await at.bed.cluster.get<{ status: object }>('namespace', 'going')
  expect(found?.status).toMatchObject({ phase: 'Terminating' })
  // As the controller of namespaces does, which this cluster does not have.
  await at.remove('services', '--all', '--namespace=going')
  await at.nothingLeft()
  await expect.poll(() => at.bed.cluster.list('services', 'going')).toEqual([])
  expect(operator.errors).toEqual([])
})

// The last one: this namespace does not come back.
test('while the namespace of the proxies is being deleted, nothing can be made in it, which is told', async () => {
  await using _ = await at.operate()
  await at.remove('namespace', namespace)
  await at.bed.cluster.apply(service('web', expose))
  await expect.poll(() => at.ready('service', 'web')).toContain('because it is being terminated')
  expect(await at.bed.control.keys()).toEqual([])
  await at.remove('service', 'web')
  await expect.poll(() => at.bed.cluster.get('service', 'web')).toBe(undefined)
})
