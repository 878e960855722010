import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../lib/clock.ts'

const never = new AbortController().signal

describe('the clock of the machine', () => {
  it('sleeps for the given time, measured by itself', async () => {
    const over: string[] = []
    const began = systemClock.now()
    await Promise.all([30, 1, 15].map((ms) => systemClock.sleep(ms).then(() => over.push(`${ms} ms`))))
    expect(over).toEqual(['1 ms', '15 ms', '30 ms'])
    // Node’s timers round to whole milliseconds.
    expect(systemClock.now() - began).toBeGreaterThanOrEqual(29)
  })

  it('ends a sleep, without an error, when its signal aborts', async () => {
    const stop = new AbortController()
    const slept = systemClock.sleep(1_000_000, stop.signal)
    stop.abort(new Error('enough'))
    await expect(slept).resolves.toBeUndefined()
    await expect(systemClock.sleep(1_000_000, stop.signal)).resolves.toBeUndefined()
  })

  it('calls once after a delay, or at every interval', async () => {
    const stop = new AbortController()
    const calls: string[] = []
    const third = Promise.withResolvers<void>()
    systemClock.after(1, stop.signal, () => calls.push('after'))
    systemClock.every(10, stop.signal, () => {
      calls.push('every')
      if (calls.length === 4) third.resolve()
    })
    await third.promise
    stop.abort()
    expect(calls).toEqual(['after', 'every', 'every', 'every'])
  })

  it('does not call when its signal has aborted before', async () => {
    const stop = new AbortController()
    const calls: string[] = []
    for (const signal of [stop.signal, AbortSignal.abort()]) {
      systemClock.after(1, signal, () => calls.push('after'))
      systemClock.every(1, signal, () => calls.push('every'))
    }
    stop.abort()
    await new Promise<void>((resolve) => systemClock.after(5, never, resolve))
    expect(calls).toEqual([])
  })

  it('removes its listener from a signal once it has called', async () => {
    const { signal } = new AbortController()
    await new Promise<void>((resolve) => systemClock.after(1, signal, resolve))
    await systemClock.sleep(1, signal)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('makes signals that abort by themselves', async () => {
    const signal = systemClock.timeout(1)
    // The timer of the signal alone would not keep the process alive.
    await systemClock.sleep(1_000_000, signal)
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' })
  })

  it('reads the time of day', () => {
    const before = Date.now()
    const now = systemClock.date().getTime()
    expect(now).toBeGreaterThanOrEqual(before)
    expect(now).toBeLessThanOrEqual(Date.now())
  })
})
