import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Facet, runFacet, type RunningFacet } from '../../../agent/world/reconciler.ts'
import { readSettings } from '../../../agent/settings/read.ts'
import { shortWaits } from '../../../agent/world/timings.ts'
import { createStore, initialWorld, type Store } from '../../../agent/world/world.ts'

const initial = () => createStore(initialWorld(readSettings({}).settings, [4, 6]))

/** A facet that wants the number of restarts, and an outside that holds the last number applied. */
let store: Store
let outside: number | undefined
let applied: number[]
let failing: boolean
let log: string[]
let stop: AbortController
let running: RunningFacet

const facet: Facet<{ readonly wanted: number }> = {
  name: 'test',
  plan: ({ daemon }) => (daemon.restarts === 0 ? undefined : { wanted: daemon.restarts }),
  apply: async ({ wanted }) => {
    applied.push(wanted)
    if (failing) throw new Error('refused')
    const changed = outside !== wanted
    outside = wanted
    return changed
  },
}

const want = (restarts: number) => store.update((world) => ({ ...world, daemon: { ...world.daemon, restarts } }))
const report = () => store.world.facets['test']

beforeEach(() => {
  store = initial()
  outside = undefined
  applied = []
  failing = false
  log = []
  stop = new AbortController()
  running = runFacet(facet, {
    store,
    log: (text) => log.push(text),
    waits: { ...shortWaits, retryFirst: 30, retryCap: 30 },
    signal: stop.signal,
  })
})
afterEach(async () => {
  stop.abort()
  await running.finished
})

describe('a facet', () => {
  it('does nothing while there is nothing to want', async () => {
    running.recheck()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(applied).toEqual([])
  })

  it('applies what is wanted, and a burst of changes once', async () => {
    want(1)
    want(2)
    want(3)
    await expect.poll(report).toMatchObject({ desired: { wanted: 3 }, repairs: 0 })
    expect(applied).toEqual([3])
    want(3)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(applied).toEqual([3])
  })

  it('says what it is about to put in the place of what was verified, until that is verified', async () => {
    want(1)
    await expect.poll(report).toMatchObject({ verified: { wanted: 1 } })
    failing = true
    want(2)
    await expect.poll(report).toMatchObject({ verified: { wanted: 1 }, attempting: { wanted: 2 }, error: 'refused' })
    failing = false
    await expect.poll(report).toMatchObject({ verified: { wanted: 2 } })
    expect(report()).not.toHaveProperty('attempting')
  })

  it('tries again after a failure, and says each failure once', async () => {
    failing = true
    want(1)
    await expect.poll(() => applied.length).toBeGreaterThan(3)
    expect(report()).toMatchObject({ error: 'refused' })
    failing = false
    await expect.poll(() => report()?.error).toBeUndefined()
    expect(log).toEqual(['test: refused', 'test: in place again'])
  })

  it('remembers when it last was right', async () => {
    want(1)
    await expect.poll(() => report()?.verifiedAt).toBeInstanceOf(Date)
    failing = true
    running.recheck()
    await expect.poll(() => report()?.error).toBe('refused')
    expect(report()?.verifiedAt).toBeInstanceOf(Date)
  })

  it('turns to another wish at once, whatever the former one waits for', async () => {
    stop.abort()
    await running.finished
    stop = new AbortController()
    failing = true
    running = runFacet(facet, {
      store,
      log: () => {},
      waits: { ...shortWaits, retryFirst: 60_000, retryCap: 60_000 },
      signal: stop.signal,
    })
    want(1)
    await expect.poll(() => applied).toEqual([1])
    failing = false
    want(2)
    await expect.poll(() => outside, { timeout: 500 }).toBe(2)
  })

  it('repairs and counts what something else changed, at a recheck', async () => {
    want(1)
    await expect.poll(() => outside).toBe(1)
    running.recheck()
    await expect.poll(() => applied.length).toBe(2)
    expect(report()?.repairs).toBe(0)
    outside = 99
    running.recheck()
    await expect.poll(() => report()?.repairs).toBe(1)
    expect(outside).toBe(1)
  })
})
