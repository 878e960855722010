import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { queue } from '../../../kube/controller/queue.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

const step = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd'),
  live: fc.boolean(),
  after: fc.nat(30),
  /** How the next run of this key goes. */
  ms: fc.nat(20),
  retry: fc.boolean(),
  throws: fc.boolean(),
  pass: fc.nat(25),
})

it('any sequence of events ends in the state of the last', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, concurrency) => {
      const clock = new VirtualClock()
      /** The last state of each key, and the one that its last successful run began with. */
      const [last, applied] = [new Map<string, number>(), new Map<string, number>()]
      const plans = new Map<string, { ms: number; retry: boolean; throws: boolean }>()
      const flights = new Set<string>()
      const broken: string[] = []
      const keys = queue(
        async (key) => {
          if (flights.has(key)) broken.push(`${key} runs twice at once`)
          flights.add(key)
          if (flights.size > concurrency) broken.push('too many run')
          const state = last.get(key)!
          const plan = plans.get(key)
          plans.delete(key)
          await clock.sleep(plan?.ms ?? 1)
          flights.delete(key)
          if (plan?.throws === true) throw new Error('failed')
          if (plan?.retry === true) return { retry: true }
          applied.set(key, state)
          return {}
        },
        { clock, concurrency },
      )
      keys.start()
      for (const [at, { key, live, after, pass, ...plan }] of steps.entries()) {
        last.set(key, at)
        plans.set(key, plan)
        keys.add(key, { live, after })
        await clock.advance(pass)
      }
      await clock.advance(60_000)
      expect(broken).toEqual([])
      expect(applied).toEqual(last)
      expect(keys.counts()).toEqual({ waiting: 0, running: 0, failing: 0 })
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 40 },
  )
})
