import { expect, test } from 'vitest'
import { SkippingClock } from './skipping-clock.ts'

const never = new AbortController().signal
const hour = 3_600_000

test('what is due after a skip happens at once and in its order, and the rest later by as much less', () => {
  const clock = new SkippingClock()
  const began = clock.now()
  const log: string[] = []
  const stop = new AbortController()
  const ended = new AbortController()
  clock.after(2 * hour, ended.signal, () => log.push('late'))
  clock.after(hour, never, () => log.push('second'))
  clock.after(hour / 2, never, () => {
    log.push('first')
    stop.abort()
  })
  clock.after(hour, stop.signal, () => log.push('ended'))
  clock.every(hour / 2, ended.signal, () => log.push('again'))
  const over = clock.timeout(hour)
  clock.skip(hour)
  expect(log).toEqual(['first', 'again', 'second'])
  expect(over.aborted).toBe(true)
  clock.skip(hour)
  expect(log).toEqual(['first', 'again', 'second', 'again', 'late'])
  expect(clock.now() - began).toBeGreaterThanOrEqual(2 * hour)
  ended.abort()
})

test('a sleep ends by a skip, by its signal, and by itself', async () => {
  const clock = new SkippingClock()
  const stop = new AbortController()
  const skipped = clock.sleep(hour)
  clock.skip(hour)
  await skipped
  const stopped = clock.sleep(hour, stop.signal)
  stop.abort()
  await stopped
  await clock.sleep(1)
})
