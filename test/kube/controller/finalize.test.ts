import { beforeEach, describe, expect, it } from 'vitest'
import type { Patch } from '../../../kube/controller/api.ts'
import { finalize } from '../../../kube/controller/finalize.ts'
import type { KubeObject, Metadata } from '../../../kube/controller/object.ts'
import { store } from '../../../kube/controller/store.ts'
import { KubeError } from '../../../kube/error.ts'
import { configMap } from './an-object.ts'
import { configMaps } from './resources.ts'

const finalizer = 'x/f'
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' }
let done: string[]
let patches: unknown[]
let failure: KubeError | undefined
beforeEach(() => {
  done = []
  patches = []
  failure = undefined
})

async function run(object: KubeObject, clean = true, isReleased = false): Promise<void> {
  const patch = async (_resource: unknown, _name: unknown, { body }: Patch): Promise<KubeObject> => {
    if (failure !== undefined) throw failure
    patches.push(body)
    return { ...object, metadata: { ...object.metadata, resourceVersion: '6' } }
  }
  const options = {
    resource: configMaps,
    store: store({ failed: () => {} }),
    finalizer,
    manager: 'm',
    apply: async () => void done.push('apply'),
    cleanup: async () => {
      done.push('cleanup')
      return clean
    },
    isReleased,
  }
  const flight = { signal: new AbortController().signal, wrote: () => void done.push('wrote') }
  await finalize({ patch }, object, options, flight)
}

const unchanged = { op: 'test', path: '/metadata/resourceVersion', value: '5' }

describe('an object with a finalizer', () => {
  it.each<[string, Partial<Metadata>, readonly string[], readonly unknown[]]>([
    [
      'that is new gets it, and is applied only when the cache shows it',
      {},
      ['wrote'],
      [[unchanged, { op: 'add', path: '/metadata/finalizers', value: [finalizer] }]],
    ],
    [
      'that has those of others gets it, too',
      { finalizers: ['a'] },
      ['wrote'],
      [[unchanged, { op: 'add', path: '/metadata/finalizers/-', value: finalizer }]],
    ],
    ['that has it is applied', { finalizers: ['a', finalizer] }, ['apply'], []],
    [
      'that is being deleted is cleaned up, and then loses it',
      { finalizers: ['a', finalizer], ...deleted },
      ['cleanup', 'wrote'],
      [
        [
          unchanged,
          { op: 'test', path: '/metadata/finalizers/1', value: finalizer },
          { op: 'remove', path: '/metadata/finalizers/1' },
        ],
      ],
    ],
    ['that is being deleted and waits for others is left alone', { finalizers: ['a'], ...deleted }, [], []],
  ])('%s', async (_what, metadata, what, patched) => {
    await run(configMap('a', '5', metadata))
    expect([done, patches]).toEqual([what, patched])
  })

  it('keeps it until the cleanup is complete', async () => {
    await run(configMap('a', '5', { finalizers: [finalizer], ...deleted }), false)
    expect([done, patches]).toEqual([['cleanup'], []])
  })

  it('that is released is cleaned up and loses it, though it is not being deleted', async () => {
    await run(configMap('a', '5', { finalizers: [finalizer] }), false, true)
    expect([done, patches]).toEqual([['cleanup'], []])
    await run(configMap('a', '5', { finalizers: [finalizer] }), true, true)
    expect(patches).toMatchObject([[{ op: 'test' }, { op: 'test' }, { op: 'remove' }]])
    patches = []
    await run(configMap('a', '5'), true, true)
    expect(patches).toEqual([])
  })

  it('rejects as the patch does', async () => {
    failure = new KubeError('ConfigMap "a" is invalid', { status: 422, retryable: false })
    await expect(run(configMap('a', '5'))).rejects.toBe(failure)
  })
})
