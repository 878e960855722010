import { expect, test } from 'vitest'
import { resourcesOf } from './resources.ts'

const namespaced = { scope: 'Namespaced' } as const
const events = [{ ...namespaced, resource: 'events', singularResource: 'event', responseKind: { kind: 'Event' } }]
const nodes = [
  { scope: 'Cluster', resource: 'nodes', singularResource: 'node', responseKind: { kind: 'Node' } },
] as const
const sets = [
  {
    ...namespaced,
    resource: 'statefulsets',
    singularResource: 'statefulset',
    shortNames: ['sts'],
    responseKind: { kind: 'StatefulSet' },
  },
]
const resources = resourcesOf([
  { versions: [{ version: 'v1', resources: [...events, ...nodes] }] },
  { metadata: { name: 'events.k8s.io' }, versions: [{ version: 'v1', resources: events }] },
  {
    metadata: { name: 'apps' },
    versions: [
      { version: 'v1', resources: sets },
      { version: 'v1beta1', resources: sets },
    ],
  },
  { metadata: { name: 'empty' }, versions: [{ version: 'v1' }] },
])

test.each([
  ['events', 'ns', 'Event', '/api/v1/namespaces/ns/events'],
  ['event.events.k8s.io', undefined, 'Event', '/apis/events.k8s.io/v1/events'],
  ['node', 'ns', 'Node', '/api/v1/nodes'],
  ['sts', 'ns', 'StatefulSet', '/apis/apps/v1/namespaces/ns/statefulsets'],
  ['statefulsets', undefined, 'StatefulSet', '/apis/apps/v1/statefulsets'],
])('%s of namespace %s are found as by kubectl', (name, namespace, kind, path) => {
  const found = resources.find(({ names }) => names.includes(name))
  expect([found?.kind, found?.path(namespace)]).toEqual([kind, path])
})

test('each version has a path of its own', () => {
  const old = resources.find(({ kind, apiVersion }) => kind === 'StatefulSet' && apiVersion === 'apps/v1beta1')
  expect(old?.path('ns')).toBe('/apis/apps/v1beta1/namespaces/ns/statefulsets')
})
