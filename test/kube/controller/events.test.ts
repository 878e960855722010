import { beforeEach, describe, expect, it } from 'vitest'
import type { Api } from '../../../kube/controller/api.ts'
import { eventWriter } from '../../../kube/controller/events.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { KubeError } from '../../../kube/error.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { configMap } from './an-object.ts'

let clock: VirtualClock
let written: string[]
let problems: (string | undefined)[]
let failure: KubeError | undefined
let last: KubeObject | undefined
beforeEach(() => {
  clock = new VirtualClock()
  written = []
  problems = []
  failure = undefined
})

const api: Pick<Api, 'create' | 'patch'> = {
  create: async (_resource, object) => {
    if (failure !== undefined) throw failure
    last = object
    written.push(`${object['reason'] as string} 1`)
    return object
  },
  patch: async (_resource, _name, { body }) => {
    if (failure !== undefined) throw failure
    written.push(`count ${(body as { count: number }).count}`)
    return last!
  },
}
const writer = () =>
  eventWriter(api, { component: 'c', problem: (text) => problems.push(text), clock }, new AbortController().signal)
const about = configMap('a', '5')
const warning = (reason: string, message = 'm') => ({ type: 'Warning', reason, message }) as const

describe('an Event', () => {
  it('says what it is about', async () => {
    await writer()(about, warning('Reason', 'x'.repeat(2000)))
    expect(last).toMatchObject({
      metadata: { namespace: 'ns', name: expect.stringMatching(/^a\.[0-9a-f]+$/) },
      involvedObject: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'ns', name: 'a', uid: 'uid-a' },
      type: 'Warning',
      reason: 'Reason',
      message: 'x'.repeat(1024),
      source: { component: 'c' },
      firstTimestamp: '2026-01-01T00:00:00.000Z',
      count: 1,
    })
  })

  it('about an object without a namespace is in the default one', async () => {
    const { namespace: _namespace, ...metadata } = about.metadata
    await writer()({ ...about, metadata }, warning('Reason'))
    expect(last?.metadata.namespace).toBe('default')
  })

  it('that is repeated is counted, and written once a minute at most', async () => {
    const tell = writer()
    for (let count = 0; count < 10; count += 1) {
      await tell(about, warning('Reason'))
      await clock.advance(20_000)
    }
    expect(written).toEqual(['Reason 1', 'count 4', 'count 7', 'count 10'])
  })

  it('that was written long ago is written anew, since the API has forgotten it', async () => {
    const tell = writer()
    await tell(about, warning('Reason'))
    await clock.advance(3_600_000)
    await tell(about, warning('Reason'))
    expect(written).toEqual(['Reason 1', 'Reason 1'])
  })
})

it('an object gets 25 different Events, and then one in five minutes; others are not affected', async () => {
  const tell = writer()
  for (let count = 0; count < 100; count += 1) await tell(about, warning('Reason', String(count)))
  expect(written).toHaveLength(25)
  await tell(configMap('b', '1'), warning('Other'))
  expect(written.at(-1)).toBe('Other 1')
  await clock.advance(300_000)
  for (let count = 200; count < 210; count += 1) await tell(about, warning('Reason', String(count)))
  expect(written).toHaveLength(27)
})

it('a failure affects nothing else, and is reported once', async () => {
  const tell = writer()
  failure = new KubeError('forbidden', { status: 403, retryable: false })
  await tell(about, warning('One'))
  await tell(about, warning('Two'))
  failure = undefined
  await tell(about, warning('Two'))
  expect([written, problems]).toEqual([['Two 1'], ['forbidden', undefined]])
})

it('that the API refuses since its namespace is being deleted is no problem', async () => {
  const tell = writer()
  const message =
    'create of Event was refused: 403 unable to create new content in namespace ns because it is being terminated'
  failure = new KubeError(message, { status: 403, retryable: false })
  await tell(about, warning('One'))
  expect([written, problems]).toEqual([[], []])
})
