import { expect, test } from 'vitest'
import { KubeError } from '../../../kube/error.ts'
import { caches } from '../../../operator/world/caches.ts'

test('kinds of Tailscale that the cluster does not have are told with the remedy', async () => {
  const told = new Map<string, string | undefined>()
  const stop = new AbortController()
  const missing = () => {
    throw new KubeError('list was refused: 404 page not found', { status: 404, retryable: false })
  }
  const problem = (name: string, text: string | undefined) => void told.set(name, text)
  const options = { namespace: 'tailscale', problem, failed: () => undefined }
  caches({ page: async () => missing(), watch: missing }, options, stop.signal)
  await expect.poll(() => told.get('connectors')).toBeDefined()
  await expect.poll(() => told.get('services')).toBe('list was refused: 404 page not found')
  stop.abort()
  expect(told.get('connectors')).toBe(
    'there is no CustomResourceDefinition "connectors.tailscale.com". Apply the files of operator/crds.',
  )
})
