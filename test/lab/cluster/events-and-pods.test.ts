import { expect, test } from 'vitest'
import { clusterEvent, inOrder, tailnetEvent } from './events.ts'
import { isUnready, unreadyReasons, type Pod } from './pods.ts'

const metadata = { name: 'echo', namespace: 'default', uid: '1', creationTimestamp: '2030-01-01T00:00:00Z' }
const about = { kind: 'Pod', namespace: 'default', name: 'echo' }
const event = { apiVersion: 'v1', kind: 'Event', metadata, involvedObject: about, reason: 'Pulled', message: 'Done.\n' }

test.each<[string, object, string, string]>([
  ['made once', { eventTime: '2030-01-01T00:00:01.5Z' }, '2030-01-01T00:00:01.500Z', 'Pulled: Done.'],
  [
    'counted',
    { firstTimestamp: '2030-01-01T00:00:02Z', lastTimestamp: '2030-01-01T00:00:09Z', count: 3, eventTime: null },
    '2030-01-01T00:00:09.000Z',
    'Pulled: Done. (3 times)',
  ],
  [
    'a series',
    { eventTime: '2030-01-01T00:00:02Z', series: { count: 4, lastObservedTime: '2030-01-01T00:00:08Z' } },
    '2030-01-01T00:00:08.000Z',
    'Pulled: Done. (4 times)',
  ],
  ['without a time', { lastTimestamp: null }, '2030-01-01T00:00:00.000Z', 'Pulled: Done.'],
])('an event of the cluster, %s', (_kind, more, time, what) => {
  expect(clusterEvent({ ...event, ...more })).toEqual({ time, from: 'cluster', about: 'default/pod/echo', what })
})

test('events of both kinds are shown in the order in which they happened', () => {
  const later = clusterEvent({ ...event, eventTime: '2030-01-01T00:00:02Z' })
  const earlier = tailnetEvent({ id: 1, time: '2030-01-01T01:00:01+01:00', kind: 'poll-start', message: 'map poll' })
  expect(earlier).toEqual({
    time: '2030-01-01T00:00:01.000Z',
    from: 'tailnet',
    about: '-',
    what: 'poll-start: map poll',
  })
  expect(inOrder([later, earlier])).toEqual([earlier, later])
})

const pod = (status: Pod['status']): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata,
  spec: { nodeName: 'node1' },
  status,
})

test('a Pod that is ready or has completed is not listed as unready', () => {
  expect(isUnready(pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }))).toBe(false)
  expect(isUnready(pod({ phase: 'Succeeded', conditions: [{ type: 'Ready', status: 'False' }] }))).toBe(false)
  expect(isUnready(pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }))).toBe(true)
  expect(isUnready(pod({ phase: 'Pending' }))).toBe(true)
})

test('shows why a Pod is not ready, and how its container ended before', () => {
  const waiting = { reason: 'CrashLoopBackOff', message: 'back-off' }
  const status = {
    phase: 'Running',
    conditions: [
      { type: 'Initialized', status: 'True' },
      { type: 'Ready', status: 'False', reason: 'ContainersNotReady' },
    ],
    containerStatuses: [
      {
        name: 'main',
        ready: false,
        restartCount: 2,
        state: { waiting },
        lastState: { terminated: { reason: 'Error', exitCode: 1 } },
      },
    ],
  }
  expect(unreadyReasons(pod(status))).toEqual([
    'default/echo: Running on node1',
    '  not Ready (ContainersNotReady)',
    '  container main: waiting (CrashLoopBackOff, back-off), 2 restarts; before: ended (Error, exit code 1)',
  ])
})
