import { beforeEach, describe, expect, it } from 'vitest'
import { type Outcome, type Queue, queue, type QueueOptions } from '../../../kube/controller/queue.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

let clock: VirtualClock
/** What began, and when: `a@1000`. */
let begun: string[]
beforeEach(() => {
  clock = new VirtualClock()
  begun = []
})

type Work = (key: string, signal: AbortSignal) => Outcome | Promise<Outcome>

/** A started queue without chance in its pauses. */
function started(work: Work = () => ({}), options: Partial<QueueOptions> = {}): Queue {
  const record = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    begun.push(`${key}@${clock.now()}`)
    return work(key, signal)
  }
  const made = queue(record, { clock, random: () => 0.5, ...options })
  made.start()
  return made
}

const takes =
  (ms: number, outcome: Outcome = {}) =>
  async () => {
    await clock.sleep(ms)
    return outcome
  }

describe('a key', () => {
  it('runs once for all that was added before', async () => {
    const keys = started(takes(10), { concurrency: 1 })
    for (const key of ['first', 'a', 'a', 'b', 'a']) keys.add(key)
    await clock.advance(100)
    expect(begun).toEqual(['first@0', 'a@10', 'b@20'])
  })

  it('runs once more when it is added while it runs, and never twice at once', async () => {
    const keys = started(takes(10))
    keys.add('a')
    await clock.advance(5)
    for (let count = 0; count < 3; count += 1) keys.add('a')
    await clock.advance(100)
    expect(begun).toEqual(['a@0', 'a@10'])
  })

  it('runs at the earliest of the times for which it was added', async () => {
    const keys = started()
    keys.add('a', { after: 300 })
    keys.add('a', { after: 100 })
    keys.add('a', { after: 200 })
    await clock.advance(1000)
    expect(begun).toEqual(['a@100'])
  })

  it('runs again when its run says so, or at an earlier event', async () => {
    let again: number | undefined = 500
    const keys = started(() => ({ again }))
    keys.add('a')
    await clock.advance(700)
    again = undefined
    keys.add('a', { live: true })
    await clock.advance(5000)
    expect(begun).toEqual(['a@0', 'a@500', 'a@700'])
  })

  it('waits for its hold, without keeping others from running', async () => {
    const hold = Promise.withResolvers<void>()
    const keys = started((key) => (key === 'a' ? { hold: hold.promise } : {}), { concurrency: 1 })
    keys.add('a')
    await clock.advance(10)
    keys.add('a')
    keys.add('b')
    await clock.advance(10)
    expect(begun).toEqual(['a@0', 'b@10'])
    hold.reject(new Error('never seen'))
    await clock.advance(10)
    expect(begun).toEqual(['a@0', 'b@10', 'a@20'])
  })
})

describe('the order', () => {
  it('is live events before what was there at the start', async () => {
    const keys = started(takes(10), { concurrency: 1 })
    for (const key of ['running', 'old1', 'old2']) keys.add(key)
    keys.add('new1', { live: true })
    keys.add('old2', { live: true })
    await clock.advance(100)
    expect(begun).toEqual(['running@0', 'new1@10', 'old2@20', 'old1@30'])
  })

  it('lets no more keys run at once than allowed', async () => {
    const keys = started(takes(10), { concurrency: 2 })
    for (const key of ['a', 'b', 'c', 'd', 'e']) keys.add(key)
    await clock.advance(100)
    expect(begun).toEqual(['a@0', 'b@0', 'c@10', 'd@10', 'e@20'])
  })

  it('is idle when none runs, is held or could run, though one may be due later', async () => {
    const seen: boolean[] = []
    const keys = started(async () => {
      seen.push(keys.isIdle())
      return { again: 1000, hold: clock.sleep(50) }
    })
    expect(keys.isIdle()).toBe(true)
    keys.add('a')
    await clock.advance(49)
    expect([...seen, keys.isIdle()]).toEqual([false, false])
    await clock.advance(1)
    expect([keys.counts().waiting, keys.isIdle()]).toEqual([1, true])
  })

  it('begins nothing before the start', async () => {
    const keys = queue(async (key) => (begun.push(key), {}), { clock })
    keys.add('a')
    await clock.advance(1000)
    expect(begun).toEqual([])
    keys.start()
    await clock.settle()
    expect(begun).toEqual(['a'])
  })
})

describe('a failure', () => {
  it('is followed by growing pauses, which a success resets', async () => {
    let fails = true
    const keys = started(() => {
      if (fails) throw new Error('no')
      return {}
    })
    keys.add('a')
    await clock.advance(8000)
    expect(begun).toEqual(['a@0', 'a@1000', 'a@3000', 'a@7000'])
    expect(keys.counts()).toEqual({ waiting: 1, running: 0, failing: 1 })
    fails = false
    await clock.advance(8000)
    expect(keys.counts()).toEqual({ waiting: 0, running: 0, failing: 0 })
    fails = true
    keys.add('a')
    await clock.advance(1000)
    expect(begun.slice(4)).toEqual(['a@15000', 'a@16000', 'a@17000'])
  })

  it('does not make other keys wait', async () => {
    const keys = started((key) => ({ retry: key === 'bad' }))
    keys.add('bad')
    await clock.advance(500)
    keys.add('good')
    await clock.advance(100)
    expect(begun).toEqual(['bad@0', 'good@500'])
  })

  it('is retried at once at an event, but only once until a pause has ended', async () => {
    const keys = started(() => ({ retry: true }))
    keys.add('a')
    await clock.advance(100)
    // Pauses: 1 s from 0; then 2 s from 100; 4 s from 2100; 8 s from 2200.
    for (let count = 0; count < 50; count += 1) {
      keys.add('a', { live: true })
      await clock.advance(40)
    }
    expect(begun).toEqual(['a@0', 'a@100', 'a@2100'])
  })

  it('pauses for five minutes at most, give or take a fifth', async () => {
    const keys = started(() => ({ retry: true }), { random: () => 0.999 })
    keys.add('a')
    for (let count = 0; count < 20; count += 1) await clock.next()
    expect(await clock.next()).toBeLessThanOrEqual(360_000)
    expect(await clock.next()).toBeGreaterThan(300_000)
  })
})

describe('a drain', () => {
  it('waits for what runs, and begins nothing more', async () => {
    const keys = started(takes(50, { again: 1 }), { concurrency: 1 })
    keys.add('a')
    keys.add('b')
    const drained = keys.drain(100)
    keys.add('c')
    await clock.advance(1000)
    expect(await drained).toBe(true)
    expect(begun).toEqual(['a@0'])
    expect(clock.pending).toBe(0)
  })

  it('aborts what runs when its time is over', async () => {
    let aborted: number | undefined
    const keys = started(async (_key, signal) => {
      await clock.sleep(1_000_000, signal)
      aborted = clock.now()
      return {}
    })
    keys.add('a')
    const drained = keys.drain(100)
    await clock.advance(200)
    expect(await drained).toBe(false)
    expect(aborted).toBe(100)
  })

  it('does not wait for holds', async () => {
    const keys = started(() => ({ hold: new Promise(() => {}) }))
    keys.add('a')
    await clock.settle()
    expect(await keys.drain(100)).toBe(true)
  })
})
