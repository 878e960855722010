import * as fc from 'fast-check'
import { expect } from 'vitest'
import { VirtualClock } from '../../../lib/virtual-clock.ts'
import { PlayedReplicas, randomOf, times } from './played-replicas.ts'

/** Until all shards have a leader, when nothing happens any more. */
export const soon = 3 * times.lease

/** How many work on each key, if it is the same number for all. */
export const each = (count: number): readonly number[] => Array.from({ length: 12 }, () => count)

const happenings =
  'pause resume cut heal kill terminate delete recreate wipe garble clock divide replace nothing'.split(' ')

const step = fc.record({
  who: fc.nat(2),
  what: fc.constantFrom(...happenings),
  shards: fc.integer({ min: 1, max: 4 }),
  pass: fc.nat(12_000),
})

/**
 * Lets things happen at random to processes, network, clocks, Leases and numbers of shards, so many times anew: two never
 * work on one key, and after that each has its leader.
 */
export async function expectNeverTwo(numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 3 }),
      fc.nat(),
      async (steps, shards, seed) => {
        const clock = new VirtualClock()
        const replicas = new PlayedReplicas(clock, shards.length, randomOf(seed), shards)
        const ends: Promise<void>[] = []
        for (const { who, what, shards: number, pass } of steps) {
          const { own, network } = replicas.of(who)
          if (what === 'pause') own.pause()
          else if (what === 'resume') own.resume()
          else if (what === 'cut') network.isCut = true
          else if (what === 'heal') network.isCut = false
          else if (what === 'delete' || what === 'recreate' || what === 'wipe' || what === 'garble')
            replicas.leases[what](number === 1 ? 'lease' : `lease-${number - 1}`)
          else if (what === 'clock') own.off += pass % 2 === 0 ? 100 * pass : -100 * pass
          if (what === 'divide' || what === 'replace') replicas.divide(who, number)
          if (what === 'kill' || what === 'divide') replicas.kill(who)
          if (what === 'terminate' || what === 'replace') ends.push(replicas.terminate(who))
          await clock.advance(pass)
          expect(replicas.broken).toEqual([])
        }
        for (let index = 0; index < shards.length; index += 1) {
          replicas.of(index).network.isCut = false
          replicas.of(index).own.resume()
        }
        // As without shards, and then until the plan is settled and its shards are taken.
        await clock.advance(8 * times.lease + soon)
        await Promise.all(ends)
        const before = replicas.written
        await clock.advance(times.lease)
        expect(replicas.broken).toEqual([])
        expect(replicas.workers).toEqual(each(1))
        expect(replicas.written).toBeGreaterThan(before)
        replicas.end()
      },
    ),
    { numRuns },
  )
}
