import { expect, test } from 'vitest'
import { differences } from '../../../operator/migrate/differences.ts'

const set = (containers: readonly object[], more: object = {}, metadata: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'a', ...metadata },
  spec: { template: { spec: { containers, ...more } } },
})
const main = (env: readonly object[], image = 'theirs') => ({ name: 'tailscale', image, env })

test('they are named by their paths, items of lists by their names', () => {
  const before = set(
    [
      main([
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ]),
    ],
    { nodeName: 'x' },
  )
  const after = set([main([{ name: 'B', value: '3' }], 'ours')], { volumes: [{ name: 'v' }] })
  expect(differences(before, after)).toEqual([
    'spec.template.spec.containers[tailscale].image',
    'spec.template.spec.containers[tailscale].env[A]',
    'spec.template.spec.containers[tailscale].env[B].value',
    'spec.template.spec.nodeName',
    'spec.template.spec.volumes',
  ])
})

test('what the API server keeps itself, the status, and empty instead of absent are none', () => {
  const before = { ...set([], {}, { generation: 1, resourceVersion: '7', annotations: {} }), status: { replicas: 1 } }
  const after = set([], { volumes: [] }, { uid: 'u', managedFields: [{ manager: 'x' }] })
  expect(differences(before, after)).toEqual([])
})

test('labels, annotations, finalizers and owners of an object count', () => {
  const before = set([], {}, { labels: { a: '1', b: '2' }, finalizers: ['x'] })
  const after = set([], {}, { labels: { a: '1' }, finalizers: ['y'], ownerReferences: [{ name: 'o' }] })
  expect(differences(before, after)).toEqual([
    'metadata.labels.b',
    'metadata.finalizers[0]',
    'metadata.ownerReferences',
  ])
})

test('no value is in them', () => {
  const secret = (value: string) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    data: { key: value },
  })
  expect(differences(secret('c2VjcmV0'), secret('b3RoZXI='))).toEqual(['data.key'])
})
