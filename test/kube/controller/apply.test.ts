import { beforeEach, describe, expect, it } from 'vitest'
import type { Api } from '../../../kube/controller/api.ts'
import { applier } from '../../../kube/controller/apply.ts'
import { keyOf, type KubeObject } from '../../../kube/controller/object.ts'
import { store, type Store } from '../../../kube/controller/store.ts'
import { KubeError } from '../../../kube/error.ts'
import { configMap } from './an-object.ts'
import { configMaps } from './resources.ts'

/** What the cluster has; the cache shows it when the test says so. */
let cluster: Map<string, KubeObject>
let asked: string[]
let kept: Store
let failures: KubeError[]
beforeEach(() => {
  cluster = new Map()
  asked = []
  failures = []
  kept = store({ failed: () => {} })
})

const fieldsOf = (value: object): object =>
  Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      `f:${name}`,
      typeof part === 'object' && part !== null ? fieldsOf(part as object) : {},
    ]),
  )

/** An API server that writes texts in lower case. */
const api: Pick<Api, 'get' | 'patch' | 'delete'> = {
  get: async (_resource, name) => {
    asked.push(`get ${keyOf(name)}`)
    return cluster.get(keyOf(name))
  },
  patch: async (_resource, name, { body, force, manager }) => {
    asked.push(`apply ${keyOf(name)}${force === true ? ' by force' : ''}`)
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    await new Promise((resolve) => setImmediate(resolve))
    const { data, metadata } = body as KubeObject
    const fieldsV1 = fieldsOf({ data, metadata: { labels: metadata.labels ?? {} } })
    const after = {
      ...configMap(name.name, `v${asked.length}`, {
        ...metadata,
        managedFields: [{ manager, operation: 'Apply', fieldsV1 }],
      }),
      data: JSON.parse(JSON.stringify(data).toLowerCase()) as object,
    }
    cluster.set(keyOf(name), after)
    return after
  },
  delete: async (_resource, { uid, ...name }) => {
    asked.push(`delete ${keyOf(name)} ${uid}`)
    cluster.delete(keyOf(name))
    return undefined
  },
}

const wanted = (name: string, data: object = { a: '1' }): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'ns', labels: { x: 'y' } },
  data,
})
const flight = () => {
  const shown: Promise<unknown>[] = []
  return { signal: new AbortController().signal, wrote: (one: Promise<unknown>) => void shown.push(one), shown }
}
const made = () => applier(api, 'm', [{ resource: configMaps, store: kept }])
const refresh = () => kept.replace([...cluster.values()])

describe('an object', () => {
  it('is written once, and again when it is wanted differently or was changed', async () => {
    const { apply } = made()
    expect(await apply(wanted('a'), flight())).toBe('written')
    refresh()
    expect(await apply(wanted('a'), flight())).toBe('unchanged')
    expect(await apply(wanted('a', { a: '2' }), flight())).toBe('written')
    refresh()
    // A key that is not wanted any more.
    expect(await apply(wanted('a', {}), flight())).toBe('written')
    refresh()
    const present = kept.get('ns/a')!
    kept.set({ ...present, metadata: { ...present.metadata, resourceVersion: 'edited', labels: { x: 'other' } } })
    expect(await apply(wanted('a', {}), flight())).toBe('written')
    expect(asked).toEqual(Array.from({ length: 4 }, () => 'apply ns/a by force'))
  })

  it('that the API writes in another way costs no second write, but one after a restart', async () => {
    const { apply } = made()
    await apply(wanted('a', { a: 'X' }), flight())
    refresh()
    expect(await apply(wanted('a', { a: 'X' }), flight())).toBe('unchanged')
    expect(await made().apply(wanted('a', { a: 'X' }), flight())).toBe('written')
    expect(await made().apply(wanted('a', { a: 'x' }), flight())).toBe('unchanged')
  })

  it('that is gone is not remembered: what comes in its place is looked at anew', async () => {
    const { apply } = made()
    await apply(wanted('a', { a: 'X' }), flight())
    refresh()
    kept.remove('ns/a')
    refresh()
    expect(await apply(wanted('a', { a: 'X' }), flight())).toBe('written')
  })

  it('holds its key until the cache shows what was written', async () => {
    const run = flight()
    await made().apply(wanted('a'), run)
    let held = true
    void Promise.all(run.shown).then(() => (held = false))
    await new Promise((resolve) => setImmediate(resolve))
    expect(held).toBe(true)
    refresh()
    await Promise.all(run.shown)
    expect(held).toBe(false)
  })

  it('of somebody else is left alone, also if the cache does not show it', async () => {
    cluster.set('ns/a', configMap('a', '1'))
    const owns = ({ metadata }: KubeObject): boolean => metadata.labels?.['x'] === 'y'
    const refusal = {
      reason: 'NotOwned',
      message: 'ConfigMap "a" in namespace "ns" exists already and belongs to somebody else',
    }
    await expect(made().apply(wanted('a'), flight(), { owns })).rejects.toMatchObject(refusal)
    refresh()
    await expect(made().apply(wanted('a'), flight(), { owns })).rejects.toMatchObject(refusal)
    expect(asked).toEqual(['get ns/a'])
    expect(await made().apply(wanted('b'), flight(), { owns })).toBe('written')
  })

  it('has one writer at a time, and a failed write does not keep the next from writing', async () => {
    failures.push(new KubeError('no', { status: 500, retryable: true }))
    const { apply } = made()
    const [first, second] = await Promise.allSettled([
      apply(wanted('a', { a: '1' }), flight()),
      apply(wanted('a', { a: '2' }), flight()),
    ])
    expect([first?.status, second?.status]).toEqual(['rejected', 'fulfilled'])
    expect(cluster.get('ns/a')?.['data']).toEqual({ a: '2' })
  })

  it('of a kind that nothing writes is a mistake in the program', async () => {
    await expect(made().apply({ ...wanted('a'), kind: 'Other' }, flight())).rejects.toThrow(
      'nothing writes Other of v1',
    )
  })
})

it('pruning deletes what the plan does not have, by uid, and leaves what is being deleted', async () => {
  const { prune } = made()
  const going = configMap('going', '1', { deletionTimestamp: '2026-01-01T00:00:00Z' })
  const run = flight()
  const count = await prune([configMap('a', '1'), configMap('b', '2'), going], [wanted('a')], run)
  expect([count, asked]).toEqual([1, ['delete ns/b uid-b']])
  await Promise.all(run.shown)
})
