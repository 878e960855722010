import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PartialOutcome, Reconciler, RunningReconciler } from '../../../agent/world/reconciler.ts'
import { reconcilerKey, reportOf } from '../../../agent/world/reports.ts'
import type { OwnStore } from '../../../agent/world/store.ts'
import { timings } from '../../../agent/world/timings.ts'
import { CulvertError } from '../../../lib/errors.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

type Wish = { readonly wanted: number }
const key = reconcilerKey<Wish>('test')

/** A reconciler that wants the number of restarts, and an outside that holds the last number applied. */
let store: OwnStore
let clock: VirtualClock
let outside: number | undefined
/** What was tried to be applied, and when. */
let applied: [wanted: number, at: number][]
let failure: Error | PartialOutcome<Wish> | undefined
let lines: string[]
let stop: AbortController
let running: RunningReconciler

const reconciler: Reconciler<Wish> = {
  key,
  plan: ({ daemon }) => (daemon.restarts === 0 ? undefined : { wanted: daemon.restarts }),
  apply: async ({ wanted }) => {
    applied.push([wanted, clock.now()])
    if (failure instanceof Error) throw failure
    if (failure !== undefined) return failure
    const changed = outside !== wanted
    outside = wanted
    return changed
  },
}

/** Wants something, and lets all happen that needs no time. */
async function want(restarts: number): Promise<void> {
  store.update((world) => ({ ...world, daemon: { ...world.daemon, restarts } }))
  await clock.settle()
}
const report = () => reportOf(store.world, key)
const wishes = (): number[] => applied.map(([wanted]) => wanted)

beforeEach(() => {
  outside = undefined
  applied = []
  failure = undefined
  clock = new VirtualClock()
  const made = aContext(aWorld({ reports: {} }), { clock, timings })
  ;({ store, lines, stop } = made)
  running = made.context.run(reconciler)
})
afterEach(async () => {
  stop.abort()
  await running.finished
  expect(clock.pending).toBe(0)
})

describe('a reconciler', () => {
  it('does nothing while there is nothing to want', async () => {
    running.recheck()
    await clock.advance(3_600_000)
    expect(applied).toEqual([])
  })

  it('applies what is wanted, and a burst of changes once', async () => {
    void want(1)
    void want(2)
    await want(3)
    expect(report()).toMatchObject({ desired: { wanted: 3 }, repairs: 0 })
    await want(3)
    expect(wishes()).toEqual([3])
  })

  it('reads back now and then although nothing has changed', async () => {
    await want(1)
    await clock.advance(2 * timings.reread)
    expect(wishes()).toEqual([1, 1, 1])
    expect(report()).toMatchObject({ repairs: 0, verifiedAt: clock.date() })
  })

  it('says what it is about to put in the place of what was verified, until that is verified', async () => {
    await want(1)
    expect(report()).toMatchObject({ verified: { wanted: 1 } })
    failure = new Error('refused')
    await want(2)
    expect(report()).toMatchObject({ verified: { wanted: 1 }, attempting: { wanted: 2 }, error: 'refused' })
    failure = undefined
    await clock.next()
    expect(report()).toMatchObject({ verified: { wanted: 2 } })
    expect(report()).not.toHaveProperty('attempting')
  })

  it('holds nothing for verified that was found to be lost, and what a partial success has read back', async () => {
    await want(1)
    failure = new CulvertError('verification-failed', 'it is gone')
    await want(2)
    expect(report()).not.toHaveProperty('verified')
    const problem = new CulvertError('localapi', 'half of it', { remedy: 'The other half stays.' })
    failure = { problem, verified: { wanted: 7 } }
    await clock.next()
    expect(report()).toMatchObject({ verified: { wanted: 7 }, error: 'half of it. The other half stays.' })
  })

  it('tries again after a failure, and logs each failure once', async () => {
    failure = new Error('refused')
    await want(1)
    await clock.advance(1500)
    expect(wishes()).toEqual([1, 1, 1])
    expect(report()).toMatchObject({ error: 'refused', failures: 3 })
    failure = undefined
    await clock.advance(2000)
    expect(report()?.error).toBeUndefined()
    expect(lines).toEqual(['test: refused', 'test: in place again'])
  })

  it('remembers when it last was right', async () => {
    await want(1)
    const { verifiedAt } = report() ?? {}
    failure = new Error('refused')
    await clock.advance(1000)
    running.recheck()
    await clock.settle()
    expect(report()).toMatchObject({ error: 'refused', verifiedAt })
  })

  it('turns to another wish at once, whatever the former one waits for', async () => {
    failure = new Error('refused')
    await want(1)
    await clock.advance(30_000)
    applied = []
    failure = undefined
    await want(2)
    expect(applied).toEqual([[2, 30_000]])
    expect(outside).toBe(2)
  })

  it('repairs and counts what something else changed, at a recheck', async () => {
    await want(1)
    running.recheck()
    await clock.settle()
    expect(wishes()).toEqual([1, 1])
    expect(report()?.repairs).toBe(0)
    outside = 99
    running.recheck()
    await clock.settle()
    expect(report()?.repairs).toBe(1)
    expect(outside).toBe(1)
  })

  it('does not call a failure what the stop has cut short', async () => {
    const made = aContext(aWorld(), { clock, timings })
    const apply = async (): Promise<boolean> => {
      await clock.sleep(1000, made.stop.signal)
      throw new Error('This operation was aborted')
    }
    const cut = made.context.run({ ...reconciler, key: reconcilerKey<Wish>('cut'), apply })
    await clock.settle()
    made.stop.abort()
    await clock.settle()
    await cut.finished
    expect(made.lines).toEqual([])
  })

  it('goes on when its plan throws, says so once and reports it', async () => {
    stop.abort()
    await running.finished
    const made = aContext(aWorld({ reports: {} }), { clock, timings })
    ;({ store, lines, stop } = made)
    const broken = reconcilerKey<Wish>('broken')
    running = made.context.run({
      ...reconciler,
      key: broken,
      plan: (world) => {
        if (world.daemon.restarts === 1) throw new TypeError('no such thing')
        return reconciler.plan(world)
      },
    })
    await want(2)
    await want(1)
    store.update((world) => ({ ...world, everServed: new Set(['svc:a']) }))
    await clock.settle()
    expect(lines).toEqual(['error: broken: it cannot be planned: no such thing'])
    expect(reportOf(store.world, broken)?.error).toBe('it cannot be planned: no such thing')
    await want(2)
    expect(wishes()).toEqual([2, 2])
    expect(reportOf(store.world, broken)?.error).toBeUndefined()
  })
})

describe('the pauses between attempts that fail', () => {
  beforeEach(() => (failure = new Error('503')))

  it('grow to their longest while the wish stays', async () => {
    await want(1)
    await clock.advance(600_000)
    const pauses = applied.slice(1).map(([, at], index) => at - (applied[index]?.[1] ?? 0))
    for (const [index, pause] of pauses.entries()) {
      const expected = Math.min(timings.retryCap, timings.retryFirst * 2 ** index)
      expect(pause).toBeGreaterThanOrEqual(0.8 * expected - 1)
      expect(pause).toBeLessThanOrEqual(1.2 * expected + 1)
    }
  })

  it('hold while the wish changes all the time, but for one early try in each', async () => {
    for (let wish = 1; clock.now() < 3000; wish += 1) {
      await want(wish)
      await clock.advance(100)
    }
    // Each pause is twice as long as the one before, and has one early try at the most.
    expect(applied.length).toBeLessThanOrEqual(8)
    const before = applied.length
    await clock.advance(37_000)
    // The next ones are at least 3.2, 6.4, 12.8 and 24 s, the first of which may have begun just now.
    expect(applied.length - before).toBeLessThanOrEqual(4)
    expect(wishes().at(-1)).toBe(report()?.desired.wanted)
  })

  it('are over for whoever waits: what is wanted last is applied, however often it changed', async () => {
    for (let wish = 1; wish <= 50; wish += 1) {
      await want(wish)
      await clock.advance(20)
    }
    failure = undefined
    await clock.advance(2 * timings.retryCap)
    expect(outside).toBe(50)
    expect(report()?.error).toBeUndefined()
  })
})
