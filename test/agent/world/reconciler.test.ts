import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PartialOutcome, Reconciler, RunningReconciler } from '../../../agent/world/reconciler.ts'
import { reconcilerKey, reportOf } from '../../../agent/world/reports.ts'
import type { OwnStore } from '../../../agent/world/store.ts'
import { timings } from '../../../agent/world/timings.ts'
import { CulvertError } from '../../../lib/errors.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

type Desired = { readonly wanted: number }
const key = reconcilerKey<Desired>('test')

/** A reconciler that wants the number of restarts, and an outside that has the last number applied. */
let store: OwnStore
let clock: VirtualClock
let outside: number | undefined
/** The attempts to apply, and their times. */
let applied: [wanted: number, at: number][]
let failure: Error | PartialOutcome<Desired> | undefined
let lines: string[]
let stop: AbortController
let running: RunningReconciler

const reconciler: Reconciler<Desired> = {
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

/** Changes the desired state, and lets everything happen that needs no time. */
async function want(restarts: number): Promise<void> {
  store.update((world) => ({ ...world, daemon: { ...world.daemon, restarts } }))
  await clock.settle()
}
const report = () => reportOf(store.world, key)
const attempts = (): number[] => applied.map(([wanted]) => wanted)

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
  it('does nothing without a desired state', async () => {
    running.recheck()
    await clock.advance(3_600_000)
    expect(applied).toEqual([])
  })

  it('applies the desired state, and a burst of changes once', async () => {
    void want(1)
    void want(2)
    await want(3)
    expect(report()).toMatchObject({ desired: { wanted: 3 }, repairs: 0 })
    await want(3)
    expect(attempts()).toEqual([3])
  })

  it('reads back regularly although nothing has changed', async () => {
    await want(1)
    await clock.advance(2 * timings.reread)
    expect(attempts()).toEqual([1, 1, 1])
    expect(report()).toMatchObject({ repairs: 0, verifiedAt: clock.date() })
  })

  it('reports what it attempts beside what was verified, until the attempt is verified', async () => {
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

  it('forgets what was verified when it is found lost, and keeps what a partial success has read back', async () => {
    await want(1)
    failure = new CulvertError('verification-failed', 'it is gone')
    await want(2)
    expect(report()).not.toHaveProperty('verified')
    const problem = new CulvertError('localapi', 'half of it', { remedy: 'The other half stays.' })
    failure = { problem, verified: { wanted: 7 } }
    await clock.next()
    expect(report()).toMatchObject({ verified: { wanted: 7 }, error: 'half of it. The other half stays.' })
  })

  it('retries after a failure, and logs each failure once', async () => {
    failure = new Error('refused')
    await want(1)
    // The second retry is after 900 ms at the latest, the third after 1400 ms at the earliest.
    await clock.advance(1300)
    expect(attempts()).toEqual([1, 1, 1])
    expect(report()).toMatchObject({ error: 'refused', failures: 3 })
    failure = undefined
    await clock.advance(2000)
    expect(report()?.error).toBeUndefined()
    expect(lines).toEqual(['test: refused', 'test: in place again'])
  })

  it('keeps the time of the last verification', async () => {
    await want(1)
    const { verifiedAt } = report() ?? {}
    failure = new Error('refused')
    await clock.advance(1000)
    running.recheck()
    await clock.settle()
    expect(report()).toMatchObject({ error: 'refused', verifiedAt })
  })

  it('applies a new desired state at once, however long the pause for the previous one', async () => {
    failure = new Error('refused')
    await want(1)
    await clock.advance(30_000)
    applied = []
    failure = undefined
    await want(2)
    expect(applied).toEqual([[2, 30_000]])
    expect(outside).toBe(2)
  })

  it('repairs and counts foreign changes at a recheck', async () => {
    await want(1)
    running.recheck()
    await clock.settle()
    expect(attempts()).toEqual([1, 1])
    expect(report()?.repairs).toBe(0)
    outside = 99
    running.recheck()
    await clock.settle()
    expect(report()?.repairs).toBe(1)
    expect(outside).toBe(1)
  })

  it('does not log what the stop has interrupted as a failure', async () => {
    const made = aContext(aWorld(), { clock, timings })
    const apply = async (): Promise<boolean> => {
      await clock.sleep(1000, made.stop.signal)
      throw new Error('This operation was aborted')
    }
    const cut = made.context.run({ ...reconciler, key: reconcilerKey<Desired>('cut'), apply })
    await clock.settle()
    made.stop.abort()
    await clock.settle()
    await cut.finished
    expect(made.lines).toEqual([])
  })

  it('goes on when its plan throws, and logs and reports it once', async () => {
    stop.abort()
    await running.finished
    const made = aContext(aWorld({ reports: {} }), { clock, timings })
    ;({ store, lines, stop } = made)
    const broken = reconcilerKey<Desired>('broken')
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
    expect(attempts()).toEqual([2, 2])
    expect(reportOf(store.world, broken)?.error).toBeUndefined()
  })
})

describe('the pauses between attempts that fail', () => {
  beforeEach(() => (failure = new Error('503')))

  it('grow to their maximum while the desired state stays', async () => {
    await want(1)
    await clock.advance(600_000)
    const pauses = applied.slice(1).map(([, at], index) => at - (applied[index]?.[1] ?? 0))
    for (const [index, pause] of pauses.entries()) {
      const expected = Math.min(timings.retryCap, timings.retryFirst * 2 ** index)
      expect(pause).toBeGreaterThanOrEqual(0.8 * expected - 1)
      expect(pause).toBeLessThanOrEqual(1.2 * expected + 1)
    }
  })

  it('hold while the desired state keeps changing, except for one early attempt in each', async () => {
    for (let round = 1; clock.now() < 3000; round += 1) {
      await want(round)
      await clock.advance(100)
    }
    // Each pause is twice as long as the one before, and has at most one early attempt.
    expect(applied.length).toBeLessThanOrEqual(8)
    const before = applied.length
    await clock.advance(37_000)
    // The next ones are at least 3.2, 6.4, 12.8 and 24 s, the first of which may have begun just now.
    expect(applied.length - before).toBeLessThanOrEqual(4)
    expect(attempts().at(-1)).toBe(report()?.desired.wanted)
  })

  it('end some time: the last desired state is applied, however often it changed', async () => {
    for (let round = 1; round <= 50; round += 1) {
      await want(round)
      await clock.advance(20)
    }
    failure = undefined
    await clock.advance(2 * timings.retryCap)
    expect(outside).toBe(50)
    expect(report()?.error).toBeUndefined()
  })
})
