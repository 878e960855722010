import { expect, test } from 'vitest'
import { lasting } from '../../lib/lasting.ts'
import { VirtualClock } from './virtual-clock.ts'

test('what has been so is counted from its beginning, for each key, and anew after a break', async () => {
  const clock = new VirtualClock()
  const lasts = lasting(clock)
  expect(lasts('a', false)).toBeUndefined()
  expect(lasts('a', true)).toBe(0)
  await clock.advance(1000)
  expect([lasts('a', true), lasts('b', true)]).toEqual([1000, 0])
  expect(lasts('a', false)).toBeUndefined()
  await clock.advance(1000)
  expect([lasts('a', true), lasts('b', true)]).toEqual([0, 1000])
})
