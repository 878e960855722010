import { expect, test } from 'vitest'
import type { Api } from '../../../kube/controller/api.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { KubeError } from '../../../kube/error.ts'
import { aborted } from '../../../lib/timers.ts'
import { services } from '../../../operator/objects/resources.ts'
import { caches } from '../../../operator/world/caches.ts'

test('kinds of Tailscale that the cluster does not have are told with the remedy', async () => {
  const told = new Map<string, string | undefined>()
  const stop = new AbortController()
  const missing = () => {
    throw new KubeError('list was refused: 404 page not found', { status: 404, retryable: false })
  }
  const problem = (name: string, text: string | undefined) => void told.set(name, text)
  const options = { namespace: 'tailscale', namespaces: [], problem, failed: () => undefined }
  caches({ page: async () => missing(), watch: missing }, options, stop.signal)
  await expect.poll(() => told.get('connectors')).toBeDefined()
  await expect.poll(() => told.get('services')).toBe('list was refused: 404 page not found')
  stop.abort()
  expect(told.get('connectors')).toBe(
    'there is no CustomResourceDefinition "connectors.tailscale.com". Apply the files of operator/crds.',
  )
})

const silent: Api['watch'] = async function* (_resource, _options, signal) {
  yield { type: 'open' }
  await aborted(signal)
}

test('of several namespaces each is followed alone, and one that may not be read counts as not followed until it may', async () => {
  const stop = new AbortController()
  let isClosed = true
  const lists = new Map<string, number>()
  const service = (namespace = ''): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'a', namespace, uid: namespace, resourceVersion: String(lists.get(namespace)) },
  })
  const page: Api['page'] = async ({ plural }, { scope: { namespace } }) => {
    if (plural !== 'services') return { objects: [], version: '1', next: undefined }
    lists.set(namespace ?? '', (lists.get(namespace ?? '') ?? 0) + 1)
    if (namespace === 'wiki' && isClosed)
      throw new KubeError('list was refused: 403', { status: 403, retryable: false })
    return { objects: [service(namespace)], version: '1', next: undefined }
  }
  const told = new Map<string, string | undefined>()
  const problem = (name: string, text: string | undefined) => void told.set(name, text)
  const options = { namespace: 'shop', namespaces: ['shop', 'wiki'], problem, failed: () => undefined }
  const waits = { retry: 1, longest: 1, settled: 0 }
  const { world, sources } = caches({ page, watch: silent }, { ...options, waits }, stop.signal)
  const [all] = sources([services])
  await all?.synced
  const keys = () => [...world.all(services)].map(({ metadata }) => metadata.namespace)
  expect(keys()).toEqual(['shop'])
  expect(told.get('services in namespace "wiki"')).toContain('403')
  expect(['shop/a', 'wiki/a', 'other/a', 'a'].map((key) => world.follows(key))).toEqual([true, false, false, true])
  expect(all?.isSynced()).toBe(true)
  isClosed = false
  await expect.poll(() => world.follows('wiki/a')).toBe(true)
  expect(keys()).toEqual(['shop', 'wiki'])
  await all?.refresh()
  expect(keys()).toEqual(['shop', 'wiki'])
  expect(lists.has('')).toBe(false)
  stop.abort()
})
