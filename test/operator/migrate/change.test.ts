import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { changesOf, lineOfChange } from '../../../operator/migrate/change.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'

const made = (kind: string, name: string, fields: object = {}, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: {
    name,
    namespace: 'tailscale',
    labels: { ...labelsOf({ type: 'svc', namespace: 'default', name: 'web' }), ...more },
  },
  ...fields,
})
const lines = (...writes: Parameters<typeof changesOf>[0] extends Iterable<infer W> ? W[] : never): string[] =>
  changesOf(writes).map(lineOfChange)

test('each is told with the object for which it is made', () => {
  const group = { 'tailscale.com/proxy-group': 'out' }
  expect(
    lines(
      {
        before: made('Secret', 'ts-web-0', { data: { a: '1' } }),
        after: made('Secret', 'ts-web-0', { data: { a: '2' } }),
      },
      { before: undefined, after: made('Role', 'ts-web') },
      { before: made('EndpointSlice', 'e', {}, group), after: undefined },
    ),
  ).toEqual([
    'change Service default/web: EndpointSlice tailscale/e is deleted',
    'change Service default/web: Role tailscale/ts-web is new',
    'change Service default/web: Secret tailscale/ts-web-0 is changed: data.a',
  ])
})

test('a StatefulSet replaces its Pods only if their template is another', () => {
  const set = (image: string, replicas = 1) =>
    made('StatefulSet', 'ts-web', { spec: { replicas, template: { spec: { image } } } })
  expect(lines({ before: set('a'), after: set('b') })).toEqual([
    'change Service default/web: StatefulSet tailscale/ts-web is changed, and its Pods are replaced: image',
  ])
  expect(lines({ before: set('a'), after: set('a', 2) })).toEqual([
    'change Service default/web: StatefulSet tailscale/ts-web is changed: spec.replicas',
  ])
})

test('an object of a user is told with itself, what belongs to none with the operator, and what stays as it is not', () => {
  const service: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' } }
  const id: KubeObject = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'id', namespace: 'tailscale' } }
  const held = { ...service, metadata: { ...service.metadata, finalizers: ['f'] } }
  expect(lines({ before: service, after: held }, { before: undefined, after: id }, { before: id, after: id })).toEqual([
    'change Service default/web: is changed: metadata.finalizers',
    'change the operator: Secret tailscale/id is new',
  ])
})
