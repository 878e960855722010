import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { backoff } from '../../lib/backoff.ts'
import { VirtualClock } from './virtual-clock.ts'

const never = new AbortController().signal

/** A clock, and a log of what happened at which time. */
function clockAndLog() {
  const clock = new VirtualClock()
  const log: string[] = []
  return { clock, log, note: (what: string) => () => void log.push(`${clock.now()} ${what}`) }
}

describe('a virtual clock', () => {
  it('stands still until it is advanced', async () => {
    const { clock, log, note } = clockAndLog()
    clock.after(10, never, note('after'))
    await clock.settle()
    expect([clock.now(), clock.date().toISOString(), log]).toEqual([0, '2026-01-01T00:00:00.000Z', []])
    await clock.advance(9.5)
    expect([clock.now(), clock.date().toISOString(), log]).toEqual([9.5, '2026-01-01T00:00:00.009Z', []])
    await clock.advance(0.5)
    expect([clock.now(), log]).toEqual([10, ['10 after']])
  })

  it('fires timers when they are due, those due at the same time in order of creation', async () => {
    const { clock, log, note } = clockAndLog()
    clock.after(30, never, note('single'))
    clock.every(20, never, note('repeated'))
    void clock.sleep(20).then(note('slept'))
    clock.timeout(20).addEventListener('abort', note('timeout'))
    await clock.advance(45)
    expect(log).toEqual(['20 repeated', '20 slept', '20 timeout', '30 single', '40 repeated'])
  })

  it('completes everything that a timer triggers before the next one fires', async () => {
    const { clock, log, note } = clockAndLog()
    clock.after(10, never, () => {
      queueMicrotask(note('microtask'))
      process.nextTick(note('tick'))
      void turn().then(turn).then(turn).then(note('third turn'))
      setImmediate(() => process.nextTick(() => void Promise.resolve().then(note('all of them'))))
    })
    clock.after(10.001, never, note('next timer'))
    await clock.advance(11)
    expect(log.at(-1)).toBe('10.001 next timer')
    expect(log.slice(0, -1).toSorted()).toEqual(['10 all of them', '10 microtask', '10 third turn', '10 tick'])
  })

  it('fires timers that were created meanwhile', async () => {
    const { clock, log, note } = clockAndLog()
    const nap = async (): Promise<void> => {
      for (;;) {
        await clock.sleep(10)
        note('nap')()
      }
    }
    void nap()
    await clock.advance(35)
    expect(log).toEqual(['10 nap', '20 nap', '30 nap'])
  })

  it('waits 1 ms for a wait of 0, as Node does, and refuses one longer than Node supports', async () => {
    const { clock, log, note } = clockAndLog()
    void clock.sleep(0).then(note('zero'))
    void clock.sleep(-5).then(note('negative'))
    await clock.advance(1)
    expect(log).toEqual(['1 zero', '1 negative'])
    for (const ms of [2 ** 31, Infinity, Number.NaN]) expect(() => clock.after(ms, never, note('')), `${ms}`).toThrow()
    for (const ms of [0.5, -1, 2 ** 31]) expect(() => clock.timeout(ms), `${ms}`).toThrow(RangeError)
  })

  it('advances to the next timer, so that random pauses can be followed one by one', async () => {
    const { clock, log, note } = clockAndLog()
    const pause = backoff(1000, 8000)
    const pauses: number[] = []
    const attempt = async (): Promise<void> => {
      for (;;) {
        note('attempt')()
        pauses.push(pause.next())
        await clock.sleep(pauses.at(-1) ?? 0)
      }
    }
    void attempt()
    const passed = [await clock.next(), await clock.next(), await clock.next()]
    expect(passed).toEqual(pauses.slice(0, 3))
    expect(log).toHaveLength(4)
  })

  it('throws when no timer is pending', async () => {
    await expect(new VirtualClock().next()).rejects.toThrow('nothing waits')
  })

  it('cancels a wait when its signal aborts, and counts pending ones', async () => {
    const { clock, log, note } = clockAndLog()
    const stop = new AbortController()
    clock.after(10, stop.signal, note('after'))
    clock.every(10, stop.signal, note('every'))
    void clock.sleep(10, stop.signal).then(note('sleep is over'))
    clock.after(20, never, note('other'))
    const timeout = clock.timeout(15)
    expect(clock.pending).toBe(4)
    await clock.advance(5)
    stop.abort()
    expect(clock.pending).toBe(1)
    await clock.advance(20)
    expect(log).toEqual(['5 sleep is over', '20 other'])
    expect([clock.pending, timeout.aborted, timeout.reason]).toMatchObject([0, true, { name: 'TimeoutError' }])
  })

  it('does not wait when the signal has aborted before', async () => {
    const { clock, log, note } = clockAndLog()
    const aborted = AbortSignal.abort()
    clock.after(10, aborted, note('after'))
    clock.every(10, aborted, note('every'))
    await clock.sleep(10, aborted)
    expect(clock.pending).toBe(0)
    await clock.advance(50)
    expect(log).toEqual([])
  })

  it('lets a repeated timer end itself', async () => {
    const { clock, log, note } = clockAndLog()
    const stop = new AbortController()
    clock.every(10, stop.signal, () => {
      note('once')()
      stop.abort()
    })
    await clock.advance(100)
    expect([log, clock.pending]).toEqual([['10 once'], 0])
  })

  it('throws to the test what a timer throws, and goes on after it', async () => {
    const { clock, log, note } = clockAndLog()
    clock.after(10, never, () => {
      throw new Error('broken')
    })
    clock.after(20, never, note('next'))
    await expect(clock.advance(50)).rejects.toThrow('broken')
    expect(clock.now()).toBe(10)
    await clock.advance(10)
    expect(log).toEqual(['20 next'])
  })
})
