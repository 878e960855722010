import { expect, test } from 'vitest'
import { grantsOf, inWords, unused } from './rights.ts'

const metadata = { name: 'operator', namespace: 'ns' }
const rule = (resources: readonly string[], verbs: readonly string[], more: object = {}) => ({
  apiGroups: [''],
  resources,
  verbs,
  ...more,
})
const role = (...rules: readonly object[]) => ({ apiVersion: 'v1', kind: 'Role', metadata, rules })
const clusterRole = (...rules: readonly object[]) => ({ ...role(...rules), kind: 'ClusterRole' })
const request = (verb: string, resource: string, more: object = {}) => ({
  verb,
  group: '',
  resource,
  namespace: 'ns',
  name: 'a',
  code: 200,
  ...more,
})

const given = [
  role(rule(['secrets'], ['get', 'create', 'patch']), rule(['pods/status'], ['patch'], { resourceNames: ['a', 'b'] })),
  clusterRole(rule(['secrets', 'nodes'], ['get'])),
]

test('what nothing asks for is found, verb by verb', () => {
  expect(inWords(unused(grantsOf(given), [], []))).toEqual([
    'get+create+patch secrets in ns',
    'patch pods/status "a" in ns',
    'patch pods/status "b" in ns',
    'get secrets everywhere',
    'get nodes everywhere',
  ])
})

test('a request uses a Role before a ClusterRole, for the name that it has', () => {
  const requests = [request('get', 'secrets'), request('patch', 'pods/status'), request('get', 'nodes', { group: 'x' })]
  expect(inWords(unused(grantsOf(given), requests, []))).toEqual([
    'create+patch secrets in ns',
    'patch pods/status "b" in ns',
    'get secrets everywhere',
    'get nodes everywhere',
  ])
  const elsewhere = [...requests, request('get', 'secrets', { namespace: 'other' })]
  expect(inWords(unused(grantsOf(given), elsewhere, []))).not.toContain('get secrets everywhere')
})

test('a patch that makes an object is a creation, too, and rights can be given on only by whoever has them', () => {
  expect(inWords(unused(grantsOf(given), [request('patch', 'secrets', { code: 201 })], []))).toContain(
    'get secrets in ns',
  )
  const made = [role(rule(['secrets'], ['get'], { resourceNames: ['own'] }))]
  expect(inWords(unused(grantsOf(given), [request('patch', 'secrets', { code: 201 })], made))).not.toContain(
    'get secrets in ns',
  )
})
