import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { coalesce } from '../../lib/coalesce.ts'

let stop: AbortController
beforeEach(() => {
  stop = new AbortController()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Counts calls; each takes until its promise resolves. */
function start(action = (): Promise<void> => Promise.resolve()) {
  const calls: number[] = []
  const began = performance.now()
  const notice = coalesce(() => {
    calls.push(performance.now() - began)
    return action()
  }, stop.signal)
  return { calls, notice, atOnce: () => notice({ atOnce: true }) }
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

it('calls once for a burst, when it is over', async () => {
  const { calls, notice } = start()
  for (let event = 0; event < 5; event += 1) {
    notice()
    await pass(20)
  }
  await pass(1000)
  expect(calls).toEqual([4 * 20 + 50])
})

it('calls once each second while a burst lasts', async () => {
  const { calls, notice } = start()
  for (let event = 0; event < 120; event += 1) {
    notice()
    await pass(20)
  }
  expect(calls).toEqual([1000, 2000])
})

it('calls at once for an event that nothing follows, and for those that wait', async () => {
  const { calls, notice, atOnce } = start()
  atOnce()
  await pass(200)
  notice()
  await pass(30)
  atOnce()
  await pass(1000)
  expect(calls).toEqual([0, 230])
})

it('does not call at once for each of a burst of such events', async () => {
  const { calls, atOnce } = start()
  for (let event = 0; event < 5; event += 1) {
    atOnce()
    await pass(20)
  }
  await pass(1000)
  expect(calls).toEqual([0, 4 * 20 + 50])
})

it('calls once more for all that happens during a call', async () => {
  const gate = Promise.withResolvers<void>()
  const { calls, notice, atOnce } = start(() => gate.promise)
  atOnce()
  await pass(100)
  atOnce()
  notice()
  await pass(100)
  expect(calls).toEqual([0])
  gate.resolve()
  await pass(1000)
  expect(calls).toEqual([0, 200])
})

it('calls no more after its signal', async () => {
  const { calls, notice, atOnce } = start()
  notice()
  stop.abort()
  atOnce()
  await pass(1000)
  expect(calls).toEqual([])
})
