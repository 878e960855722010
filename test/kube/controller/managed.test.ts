import { describe, expect, it } from 'vitest'
import { appliedBy, comparable, trimFor } from '../../../kube/controller/managed.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { configMap } from './an-object.ts'

const withFields = (fieldsV1: unknown, value: object, more: object = {}): KubeObject => ({
  ...configMap('a', '1', { managedFields: [{ manager: 'm', operation: 'Apply', fieldsV1, ...more }] }),
  ...value,
})
const viewOf = (object: KubeObject, subresource?: string) => {
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = appliedBy('m', object, subresource) ?? { none: true }
  return rest
}

describe('what a manager has applied', () => {
  it.each<[string, unknown, object, object]>([
    ['fields', { 'f:data': { 'f:a': {} } }, { data: { a: '1', b: '2' } }, { data: { a: '1' } }],
    ['a field that is gone', { 'f:data': { 'f:a': {} } }, { data: { b: '2' } }, {}],
    ['a map that is owned as a whole', { 'f:x': {} }, { x: { a: { b: 1 } } }, { x: { a: { b: 1 } } }],
    ['a map of which only the existence is owned', { 'f:x': { '.': {} } }, { x: { a: 1 } }, { x: {} }],
    ['an empty map', { 'f:x': {} }, { x: {} }, { x: {} }],
    [
      'items by their keys',
      { 'f:x': { 'k:{"name":"a"}': { '.': {}, 'f:name': {}, 'f:v': {} } } },
      {
        x: [
          { name: 'b', v: 1 },
          { name: 'a', v: 2, added: true },
        ],
      },
      { x: [{ name: 'a', v: 2 }] },
    ],
    [
      'items with a key that the API has added',
      { 'f:x': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } } },
      {
        x: [
          { port: 80, protocol: 'UDP' },
          { port: 80, protocol: 'TCP' },
        ],
      },
      { x: [{ port: 80 }] },
    ],
    ['values of a set', { 'f:x': { 'v:"b"': {}, 'v:"gone"': {} } }, { x: ['a', 'b'] }, { x: ['b'] }],
    ['positions', { 'f:x': { 'i:1': {} } }, { x: ['a', 'b'] }, { x: ['b'] }],
    ['something of another type by now', { 'f:x': { 'f:a': {} } }, { x: 'text' }, {}],
    ['an item selector that is no JSON', { 'f:x': { 'k:{': {} } }, { x: ['a'] }, { x: [] }],
  ])('%s', (_what, fields, value, view) => {
    expect(viewOf(withFields(fields, value))).toEqual(view)
  })

  it('is told apart from other managers, from updates and from subresources', () => {
    const fields = { 'f:data': { 'f:a': {} } }
    const value = { data: { a: '1' } }
    expect(appliedBy('other', withFields(fields, value))).toBeUndefined()
    expect(appliedBy('m', withFields(fields, value, { operation: 'Update' }))).toBeUndefined()
    expect(appliedBy('m', withFields(fields, value, { subresource: 'status' }))).toBeUndefined()
    expect(viewOf(withFields(fields, value, { subresource: 'status' }), 'status')).toEqual(value)
    expect(appliedBy('m', configMap('a', '1'))).toBeUndefined()
  })
})

it('what is to be applied is compared without what only says to which object', () => {
  const object = { ...configMap('a', '1'), metadata: { name: 'a', namespace: 'b', labels: { x: 'y' } } }
  expect(comparable({ ...object, more: undefined })).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { labels: { x: 'y' } },
    data: {},
  })
  expect(comparable({ ...object, metadata: { name: 'a', uid: 'u' } })).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    data: {},
  })
})

it('trimming keeps what the manager has applied, and everything else but what kubectl remembers', () => {
  const object = configMap('a', '1', {
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', own: 'x' },
    managedFields: [{ manager: 'm', operation: 'Apply' }, { manager: 'kubelet' }],
    strange: 1,
  })
  expect(trimFor('m')(object)).toEqual(
    configMap('a', '1', {
      annotations: { own: 'x' },
      managedFields: [{ manager: 'm', operation: 'Apply' }],
      strange: 1,
    }),
  )
  expect(trimFor('m')(configMap('a', '1')).metadata).not.toHaveProperty('annotations')
})
