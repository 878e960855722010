import { expect, test } from 'vitest'
import { times } from '../../../operator/group-ingress/departures.ts'
import { readRecord } from '../../../operator/group-ingress/record.ts'
import { remover } from '../../../operator/group-ingress/remove.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { settings, worldOf } from '../a-world.ts'
import { proxyGroup, recordFor, replica } from './a-group.ts'

const flight = { signal: new AbortController().signal, wrote: () => {} }

test.each([
  [true, times.settled],
  [false, undefined],
])('whether another cluster has it, too, is asked once, when it begins to go: %s', async (isShared, wait) => {
  const clock = new VirtualClock()
  const record = recordFor('svc', 'db')
  let asked = 0
  const release = async () => {}
  const claim = () => expect.unreachable()
  const vips = { list: async () => [], claim, release, isShared: async () => ((asked += 1), isShared) }
  const caches = { world: worldOf(proxyGroup('group'), record, ...replica('group-0')) }
  const applier = { prune: async () => 0 }
  const removing = remover({ caches, applier, tell: async () => {}, vips, settings, clock })
  const once = async () => (await removing.one(readRecord(record)!, undefined, flight)).again
  expect(await once()).toBe(wait)
  expect(asked).toBe(1)
  await clock.advance(1000)
  if (wait === undefined) return
  expect(await once()).toBe(wait - 1000)
  expect(asked).toBe(1)
})
