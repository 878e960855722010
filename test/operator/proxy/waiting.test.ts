import { expect, test } from 'vitest'
import type { Condition } from '../../../operator/objects/conditions.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { deletion, toldOfWaiting } from '../../../operator/proxy/waiting.ts'
import { ingress, service, worldOf } from '../a-world.ts'

const now = new Date('2026-01-01T00:10:00Z')
const pending: Condition = {
  type: 'TailscaleProxyReady',
  status: 'False',
  reason: 'ProxyPending',
  message: 'Pod ts-0 does not forward to the target yet',
}
/** A Service that has had a condition since some time of that day. */
const since = (time: string, condition = pending) =>
  service('web', {}, {}, { conditions: [{ ...condition, lastTransitionTime: `2026-01-01T00:${time}Z` }] })

test('what has been waited for during a minute is an Event', () => {
  expect(toldOfWaiting(since('09:00'), [pending], undefined, now)).toEqual({
    events: [{ type: 'Warning', reason: 'ProxyPending', message: pending.message }],
  })
})

test('the Event has the reason of what keeps it waiting', () => {
  const refused = { as: 'pending', reason: 'ProxyPodNotStarted', message: 'no image' } as const
  const { events } = toldOfWaiting(since('09:00'), [{ ...pending, message: 'no image' }], refused, now)
  expect(events).toEqual([{ type: 'Warning', reason: 'ProxyPodNotStarted', message: 'no image' }])
})

test('a group that is not as asked is told of, too', () => {
  const creating = { ...pending, type: 'ProxyGroupReady', reason: 'ProxyGroupCreating' }
  expect(toldOfWaiting(since('09:00', creating), [creating], undefined, now).events).toMatchObject([
    { reason: 'ProxyGroupCreating' },
  ])
})

test('what an object that is being deleted waits for is an Event after a minute, also of one without conditions', () => {
  const parent = { type: 'ingress', namespace: 'apps', name: 'web' } as const
  const pod = service('ts-web-0', {}, { namespace: 'tailscale', labels: labelsOf(parent) })
  const refused = deletion(worldOf({ ...pod, kind: 'Pod' }), parent)
  const message = 'it is being deleted: waits for the end of Pod ts-web-0'
  expect(refused).toEqual({ as: 'pending', reason: 'Deleting', message })
  const deleted = (time: string) => ingress('web', {}, { deletionTimestamp: `2026-01-01T00:${time}Z` })
  expect(toldOfWaiting(deleted('09:00'), [], refused, now)).toEqual({
    events: [{ type: 'Warning', reason: 'Deleting', message }],
  })
  expect(toldOfWaiting(deleted('09:30'), [], refused, now)).toEqual({ events: [], again: 30_000 })
  expect(deletion(worldOf(), parent).message).toBe('it is being deleted: what was made for it goes')
})

test('until then it is looked at again at that time', () => {
  expect(toldOfWaiting(since('09:20'), [pending], undefined, now)).toEqual({ events: [], again: 20_000 })
  expect(toldOfWaiting(service('web'), [pending], undefined, now)).toEqual({ events: [], again: 60_000 })
  const worked = since('01:00', { ...pending, status: 'True', reason: 'ProxyCreated' })
  expect(toldOfWaiting(worked, [pending], undefined, now)).toEqual({ events: [], again: 60_000 })
})

test.each<[string, Condition]>([
  ['works', { ...pending, status: 'True', reason: 'ProxyCreated' }],
  ['is refused, which is an Event anyway', { ...pending, reason: 'ProxyFailed' }],
])('there is nothing to tell of what %s', (_what, condition) => {
  expect(toldOfWaiting(since('01:00'), [condition], undefined, now)).toEqual({ events: [] })
})
