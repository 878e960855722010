import { expect, test } from 'vitest'
import { timed } from '../../../operator/objects/conditions.ts'
import { labelsOf, labelValue, parentOf, parentValue } from '../../../operator/objects/parent.ts'

const long = 'a'.repeat(200)

test('a name that is too long for a label is cut and gets a hash, once', () => {
  expect(labelValue('short')).toBe('short')
  expect(labelValue('b'.repeat(63))).toBe('b'.repeat(63))
  expect(labelValue(long)).toMatch(/^a{54}-[0-9a-f]{8}$/)
  expect(labelValue(labelValue(long))).toBe(labelValue(long))
  expect(labelValue(`${long}b`)).not.toBe(labelValue(`${long}c`))
})

test.each(['web', long])('labels lead back to their parent: %s', (name) => {
  const parent = { type: 'svc', namespace: 'prod', name } as const
  const found = parentOf({ name: 'child', labels: { ...labelsOf(parent), app: 'uid' } })
  expect(found).toEqual({ ...parent, name: labelValue(name) })
  expect(parentValue(found!)).toBe(parentValue(parent))
})

test.each([
  ['a group of proxies', { 'tailscale.com/proxy-group': 'group' }],
  ['a kind of parent that is not known', { 'tailscale.com/parent-resource-type': 'peerrelay' }],
  ['nobody of the operator', { 'tailscale.com/managed': 'false' }],
])('what was made for %s has no parent here', (_what, more) => {
  const labels = { ...labelsOf({ type: 'svc', namespace: 'prod', name: 'web' }), ...more }
  expect(parentOf({ name: 'child', labels })).toBeUndefined()
})

test('the time of a condition changes only with its status', () => {
  const condition = { type: 'Ready', status: 'True', reason: 'New', message: 'new' } as const
  const before = { type: 'Ready', status: 'True', reason: 'Old', message: 'old', lastTransitionTime: 'then' } as const
  const now = new Date('2026-01-02T03:04:05.678Z')
  expect(timed([condition], [before], 7, now)).toEqual([
    { ...condition, lastTransitionTime: 'then', observedGeneration: 7 },
  ])
  const changed = { ...condition, lastTransitionTime: '2026-01-02T03:04:05Z' }
  expect(timed([condition], [{ ...before, status: 'False' }], undefined, now)).toEqual([changed])
  expect(timed([condition], [{ ...before, type: 'Other' }], undefined, now)).toEqual([changed])
})
