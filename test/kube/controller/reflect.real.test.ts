import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { keyOf, type KubeObject } from '../../../kube/controller/object.ts'
import { reflect, type ReflectOptions } from '../../../kube/controller/reflect.ts'
import { store } from '../../../kube/controller/store.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { configMap } from './an-object.ts'
import { ApiBed, never } from './api-bed.ts'
import { configMaps } from './resources.ts'

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

const inNamespace = (namespace: string, name: string, data = {}): KubeObject => configMap(name, '', { namespace }, data)

async function makeNamespace(name: string): Promise<void> {
  await bed.cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
}

/** Follows the ConfigMaps of a namespace through the proxy. */
function follow(namespace: string, options: Partial<ReflectOptions> = {}) {
  const stop = new AbortController()
  const problems: (string | undefined)[] = []
  const kept = store({ failed: (error) => problems.push(String(error)) })
  const waits = { retry: 20, longest: 200, settled: 50 }
  const source = reflect(
    real.api,
    // Each namespace of a cluster gets this one from the cluster itself.
    {
      resource: configMaps,
      scope: { namespace, fields: 'metadata.name!=kube-root-ca.crt' },
      store: kept,
      waits,
      problem: (text) => problems.push(text),
      ...options,
    },
    stop.signal,
  )
  return { source, store: kept, problems, [Symbol.dispose]: () => stop.abort() }
}

const names = (objects: Iterable<KubeObject>): string[] => [...objects].map(({ metadata }) => metadata.name).toSorted()
const versions = (objects: Iterable<KubeObject>): string[] =>
  [...objects].map(({ metadata }) => `${keyOf(metadata)} ${metadata.resourceVersion}`).toSorted()

/** What the API server has, by kubectl. */
const present = async (namespace: string): Promise<KubeObject[]> =>
  (await bed.cluster.list<KubeObject>('configmaps', namespace)).filter(
    ({ metadata }) => metadata.name !== 'kube-root-ca.crt',
  )

test('5,000 objects come in pages, in spite of slow answers, and every later change by watches that are cut', async () => {
  await makeNamespace('many')
  const all = Array.from({ length: 5000 }, (_, index) => inNamespace('many', `c${index}`, { index: String(index) }))
  await real.put(...all)
  let pages = 0
  real.proxy.fault = ({ url }) => {
    if (!url.includes('limit=')) return undefined
    pages += 1
    return { delay: 50 }
  }
  using followed = follow('many')
  await followed.source.synced
  expect(followed.store.size()).toBe(5000)
  expect(pages).toBe(10)
  for (let round = 0; round < 5; round += 1) {
    await real.put(
      ...all
        .slice(round * 20, round * 20 + 20)
        .map(({ metadata }) => inNamespace('many', metadata.name, { round: String(round) })),
    )
    await real.direct.delete(
      configMaps,
      { name: `c${4000 + round}`, namespace: 'many', uid: followed.store.get(`many/c${4000 + round}`)!.metadata.uid! },
      { propagation: 'Background' },
      never,
    )
    real.proxy.cutWatches()
  }
  const expected = versions(await present('many'))
  await expect.poll(() => versions(followed.store.all())).toEqual(expected)
  expect(followed.store.size()).toBe(4995)
  expect(followed.source.counts()).toMatchObject({ lists: 1, missed: 0 })
})

test('a version that is too old leads to a new list, which shows what was missed', async () => {
  await makeNamespace('expired')
  await real.put(inNamespace('expired', 'stays'), inNamespace('expired', 'goes'))
  // The history of an API server begins with its start.
  const server = bed.cluster.component('kube-apiserver')
  await server.stop('SIGKILL')
  await server.start()
  using followed = follow('expired')
  await expect.poll(() => real.proxy.openWatches('/expired/')).toBe(1)
  // From now on the real API server is asked for a version that it does not have any more, until the next list.
  real.proxy.fault = ({ url }) =>
    url.includes('watch=true') ? { url: url.replace(/resourceVersion=\d+/, 'resourceVersion=1') } : undefined
  const { uid = '' } = followed.store.get('expired/goes')!.metadata
  real.proxy.cutWatches()
  await real.direct.delete(
    configMaps,
    { name: 'goes', namespace: 'expired', uid },
    { propagation: 'Background' },
    never,
  )
  await real.put(inNamespace('expired', 'comes'))
  await expect.poll(() => names(followed.store.all())).toEqual(['comes', 'stays'])
  expect(followed.source.counts().lists).toBeGreaterThan(1)
  // The first time is nothing unusual.
  await expect.poll(() => followed.problems).toEqual([expect.stringContaining('too old resource version')])
  real.proxy.fault = () => undefined
  await expect.poll(() => followed.problems.length).toBe(2)
  expect(followed.problems[1]).toBeUndefined()
})

test('objects of 1 MiB come, though a page of them would be too large', async () => {
  await makeNamespace('large')
  const large = 'x'.repeat(1024 * 1024 - 1024)
  await real.put(...Array.from({ length: 40 }, (_, index) => inNamespace('large', `c${index}`, { text: large })))
  using followed = follow('large')
  await followed.source.synced
  expect(followed.store.size()).toBe(40)
  await real.put(inNamespace('large', 'c0', { text: `y${large.slice(1)}` }))
  await expect.poll(() => JSON.stringify(followed.store.get('large/c0')?.['data']).slice(0, 11)).toBe('{"text":"yx')
  expect(followed.problems.filter((text) => text !== undefined)).toEqual([])
})

test('after any sequence of changes and failures the store is as the cluster', async () => {
  await makeNamespace('chaos')
  let random = 7
  const below = (limit: number): number => {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((random / 2_147_483_648) * limit)
  }
  real.proxy.fault = ({ url }) => {
    const kind = below(10)
    if (kind === 0) return { status: 500 }
    if (kind === 1) return { status: 410 }
    if (kind === 2 && url.includes('watch=true'))
      return { url: url.replace(/resourceVersion=\d+/, 'resourceVersion=1') }
    return kind === 3 ? { delay: 30 } : undefined
  }
  using followed = follow('chaos', { limit: 7 })
  const heard = new Map<string, KubeObject>()
  followed.store.listen(({ key, after }) => (after === undefined ? heard.delete(key) : heard.set(key, after)))
  for (let step = 0; step < 300; step += 1) {
    const name = `c${below(30)}`
    if (below(3) > 0) await real.put(inNamespace('chaos', name, { step: String(step) }))
    else {
      const uid = (await real.direct.get(configMaps, { name, namespace: 'chaos' }, never))?.metadata.uid
      if (uid !== undefined)
        await real.direct.delete(configMaps, { name, namespace: 'chaos', uid }, { propagation: 'Background' }, never)
    }
    if (below(8) === 0) real.proxy.cutWatches()
  }
  const expected = versions(await present('chaos'))
  await expect.poll(() => versions(followed.store.all())).toEqual(expected)
  expect(versions(heard.values())).toEqual(expected)
  expect(followed.source.counts().lists).toBeGreaterThan(1)
})
