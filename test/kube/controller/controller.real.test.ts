import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { applier } from '../../../kube/controller/apply.ts'
import { isStale } from '../../../kube/controller/controller.ts'
import { deafness } from '../../../kube/controller/health.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { store } from '../../../kube/controller/store.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { childOf, operate, parent } from './an-operator.ts'
import { ApiBed, never } from './api-bed.ts'
import { configMaps, services } from './resources.ts'

let bed: Bed
let real: ApiBed
beforeAll(async () => {
  bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
  real = await ApiBed.start(bed)
})
afterAll(async () => {
  await real[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(() => {
  printLogsOnFailure(bed)
  real.proxy.fault = () => undefined
  real.proxy.seen.length = 0
})

/** The children of a parent as kubectl shows them. */
async function childrenOf(namespace: string, name?: string): Promise<KubeObject[]> {
  const selector = name === undefined ? childOf : `${childOf}=${name}`
  const { stdout } = await bed.cluster.kubectl([
    'get',
    'secret,deployment,service',
    `--namespace=${namespace}`,
    `--selector=${selector}`,
    '--output=json',
  ])
  return (JSON.parse(stdout) as { items: KubeObject[] }).items
}
const kindsOf = async (namespace: string, name: string): Promise<string[]> =>
  (await childrenOf(namespace, name)).map(({ kind }) => kind).toSorted()

async function makeNamespace(name: string): Promise<void> {
  await bed.cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
}

const idle = (runs: { counts: () => { waiting: number; running: number } }) =>
  expect.poll(() => [runs.counts().waiting, runs.counts().running]).toEqual([0, 0])

const everything = ['Deployment', 'Secret', 'Service']

test('children come, change and go with their parent, and a restart writes nothing', async () => {
  const namespace = 'life'
  await makeNamespace(namespace)
  await real.put(parent(namespace, 'a', { value: 'one' }), parent(namespace, 'b'))
  const spec = async () =>
    (await childrenOf(namespace, 'a')).find(({ kind }) => kind === 'Deployment')?.['spec'] as {
      replicas: number
      template: { spec: { containers: { image: string }[] } }
    }
  {
    await using operator = await operate(real, namespace)
    await expect.poll(() => kindsOf(namespace, 'a')).toEqual(everything)
    await expect.poll(() => kindsOf(namespace, 'b')).toEqual(everything)
    // Changed by the plan, by somebody else, and deleted by somebody else.
    await real.put(parent(namespace, 'a', { value: 'one', service: 'none', image: 'other' }))
    await expect.poll(() => kindsOf(namespace, 'a')).toEqual(['Deployment', 'Secret'])
    await expect.poll(async () => (await spec()).template.spec.containers[0]?.image).toBe('other')
    await bed.cluster.kubectl(['scale', 'deployment/a-child', '--replicas=3', `--namespace=${namespace}`])
    await expect.poll(async () => (await spec()).replicas).toBe(1)
    await bed.cluster.kubectl(['delete', 'secret/a-child', `--namespace=${namespace}`])
    await expect.poll(() => kindsOf(namespace, 'a')).toEqual(['Deployment', 'Secret'])
    await idle(operator.runs)
    expect(operator.problems).toEqual([])
    expect(deafness(operator.sources)).toBeUndefined()
  }
  const before = real.proxy.writes.length
  {
    await using operator = await operate(real, namespace)
    await expect.poll(() => operator.runs.counts().results.done).toBeGreaterThanOrEqual(2)
    await idle(operator.runs)
    // The CPU request is written in another way by the API: that costs one write of a new process, which changes nothing.
    // Two keys run at once: either may write first.
    const written = real.proxy.writes.slice(before).map(({ url }) => url.split('?')[0] ?? '')
    expect(written.toSorted()).toEqual(
      ['a', 'b'].map((name) => `/apis/apps/v1/namespaces/life/deployments/${name}-child`),
    )
    await real.put(parent(namespace, 'c'))
    await expect.poll(() => kindsOf(namespace, 'c')).toEqual(everything)
    await idle(operator.runs)
    const settled = real.proxy.writes.length
    for (const name of ['a', 'b', 'c']) operator.runs.add(`${namespace}/${name}`)
    await idle(operator.runs)
    expect(real.proxy.writes.slice(settled)).toEqual([])
    for (const name of ['a', 'b', 'c'])
      await bed.cluster.kubectl(['delete', 'configmap', name, `--namespace=${namespace}`])
    await expect.poll(() => childrenOf(namespace)).toEqual([])
    expect(operator.problems).toEqual([])
  }
})

test('conflicts on every write, errors and slow answers end in the wanted state, and conflicts are not reported', async () => {
  const namespace = 'conflicts'
  await makeNamespace(namespace)
  await using operator = await operate(real, namespace)
  const tries = new Map<string, number>()
  real.proxy.fault = ({ method, url, type }) => {
    if (method === 'GET') return { delay: 20 }
    const path = `${method} ${url.split('?')[0]} ${type}`
    tries.set(path, (tries.get(path) ?? 0) + 1)
    const name = /configmaps\/(\w+)/.exec(url)?.[1]
    // Somebody else is faster with the first two patches of finalizers: the real API refuses them.
    if (type.includes('json-patch') && tries.get(path)! <= 2) {
      const annotations = { faster: String(tries.get(path)) }
      return {
        before: () =>
          real.direct.patch(
            configMaps,
            { name: name!, namespace },
            { type: 'merge', body: { metadata: { annotations } }, manager: 'faster' },
            never,
          ),
      }
    }
    // A PATCH is repeated once at once, so that these are two runs.
    return tries.get(path)! <= 4 ? { status: 409 } : { delay: 20 }
  }
  await real.put(parent(namespace, 'a'))
  await expect.poll(() => kindsOf(namespace, 'a')).toEqual(everything)
  await idle(operator.runs)
  expect(operator.problems).toEqual([])
  expect(operator.runs.counts().results).toMatchObject({ failed: 0, refused: 0 })
  expect(operator.runs.counts().results.stale).toBeGreaterThanOrEqual(4)
  tries.clear()
  await bed.cluster.kubectl(['delete', 'configmap', 'a', `--namespace=${namespace}`])
  await expect.poll(() => childrenOf(namespace)).toEqual([])
  expect(operator.problems).toEqual([])

  let failures = 3
  real.proxy.fault = ({ method }) => (method !== 'GET' && (failures -= 1) >= 0 ? { status: 500 } : undefined)
  await real.put(parent(namespace, 'b'))
  await expect.poll(() => kindsOf(namespace, 'b')).toEqual(everything)
  await expect
    .poll(() => operator.problems)
    .toEqual([
      expect.stringContaining('conflicts/b: patch of ConfigMap "b" in namespace "conflicts" failed: 500'),
      'conflicts/b: well',
    ])
})

test('what is impossible is told once by a condition and an Event, and done when it changes', async () => {
  const namespace = 'refused'
  await makeNamespace(namespace)
  await bed.cluster.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'taken-child', namespace } })
  await using operator = await operate(real, namespace)
  await real.put(parent(namespace, 'a', { value: 'impossible' }), parent(namespace, 'taken'))
  const condition = async (name: string) =>
    (await bed.cluster.get<KubeObject>('configmap', name, namespace))?.metadata.annotations?.['condition']
  await expect.poll(() => condition('a')).toBe('Impossible')
  await expect.poll(() => condition('taken')).toBe('NotOwned')
  await idle(operator.runs)
  operator.runs.add(`${namespace}/a`)
  await idle(operator.runs)
  const events = (await bed.cluster.list<KubeObject>('events', namespace)).map(
    ({ reason, message, involvedObject, type }) => [type, reason, message, (involvedObject as { name: string }).name],
  )
  expect(events).toEqual([
    ['Warning', 'Impossible', 'the value is impossible', 'a'],
    [
      'Warning',
      'NotOwned',
      'Secret "taken-child" in namespace "refused" exists already and belongs to somebody else',
      'taken',
    ],
  ])
  expect(await kindsOf(namespace, 'a')).toEqual([])
  await real.put(parent(namespace, 'a', { value: 'possible' }))
  await expect.poll(() => kindsOf(namespace, 'a')).toEqual(everything)
  expect(operator.problems).toEqual([])
})

test('a status is not applied to an object that is gone or another by now', async () => {
  const namespace = 'gone'
  await makeNamespace(namespace)
  const identity = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace } }
  const spec = { ports: [{ port: 80 }] }
  const make = () => real.direct.create(services, { ...identity, spec }, never)
  const { apply } = applier(real.direct, 'test', [{ resource: services, store: store({ failed: () => {} }) }])
  const condition = { type: 'Told', status: 'True', reason: 'Test', message: '', lastTransitionTime: new Date(0) }
  const tell = (uid: string) =>
    apply(
      { ...identity, metadata: { ...identity.metadata, uid }, status: { conditions: [condition] } },
      { signal: never, wrote: () => {} },
      { subresource: 'status' },
    ).catch((error: unknown) => error)
  const first = await make()
  expect(await tell(first.metadata.uid!)).toBe('written')
  await real.direct.delete(
    services,
    { ...identity.metadata, uid: first.metadata.uid! },
    { propagation: 'Background' },
    never,
  )
  expect(await tell(first.metadata.uid!)).toSatisfy(isStale)
  expect(await real.direct.get(services, identity.metadata, never)).toBeUndefined()
  const second = await make()
  expect(await tell(first.metadata.uid!)).toSatisfy(isStale)
  expect(await tell(second.metadata.uid!)).toBe('written')
})

test('a patch of an object that has changed, or was replaced, is a conflict; other refusals are not', async () => {
  const namespace = 'patches'
  await makeNamespace(namespace)
  const metadata = { name: 'a', namespace }
  const made = await real.direct.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata }, never)
  const { uid, resourceVersion: value } = made.metadata
  await bed.cluster.kubectl(['annotate', 'configmap', 'a', `--namespace=${namespace}`, 'changed=true'])
  const patch = (type: 'json' | 'merge' | 'apply', body: unknown) =>
    real.direct.patch(configMaps, metadata, { type, body, manager: 'test' }, never).catch((error: unknown) => error)
  const version = { op: 'test', path: '/metadata/resourceVersion', value }
  expect(await patch('json', [version])).toMatchObject({ status: 409 })
  const another = { name: 'a', namespace, uid: `${uid!.slice(0, -4)}0000` }
  expect(await patch('merge', { metadata: another })).toMatchObject({ status: 409 })
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: another, data: {} }
  expect(await patch('apply', applied)).toMatchObject({ status: 409 })
  expect(await patch('merge', { data: { ' ': 'not a name' } })).toMatchObject({ status: 422 })
})
