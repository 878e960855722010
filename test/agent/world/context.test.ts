import { expect, it } from 'vitest'
import { reconcilerKey } from '../../../agent/world/reports.ts'
import { timings } from '../../../agent/world/timings.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

const start = () => {
  const clock = new VirtualClock()
  return { clock, ...aContext(aWorld(), { clock, timings }) }
}

it('restarts failed work with growing pauses, and logs why each time', async () => {
  const { clock, context, lines, stop } = start()
  const begun: number[] = []
  context.background('watching', async () => {
    begun.push(clock.now())
    if (begun.length < 4) throw new Error('EMFILE: too many open files')
    await clock.sleep(3_600_000, context.signal)
  })
  await clock.advance(10_000)
  expect(begun).toHaveLength(4)
  const pauses = begun.slice(1).map((at, index) => at - (begun[index] ?? 0))
  expect(pauses).toEqual(pauses.toSorted((one, other) => one - other))
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(/^warning: watching failed, and is begun again in \d+ ms: EMFILE: too many open files$/)
  stop.abort()
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it('starts over with a short pause once the work has lasted', async () => {
  const { clock, context, lines, stop } = start()
  context.background('watching', async () => {
    await clock.sleep(10 * timings.retryCap, context.signal)
    throw new Error('the stream ended')
  })
  await clock.advance(45 * timings.retryCap)
  const pauses = lines.map((line) => Number(/in (\d+) ms/.exec(line)?.[1]))
  expect(pauses).toHaveLength(4)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(1.2 * timings.retryFirst)
  stop.abort()
})

it('does not restart work that has ended, nor anything at the stop', async () => {
  const { clock, context, lines, stop } = start()
  let [ended, failed] = [0, 0]
  context.background('one', async () => {
    ended += 1
  })
  context.background('other', async () => {
    failed += 1
    await clock.sleep(1000, context.signal)
    throw new Error('aborted')
  })
  await clock.advance(500)
  stop.abort()
  await clock.advance(60_000)
  expect([ended, failed, lines]).toEqual([1, 1, []])
})

it('refuses a second reconciler of the same name', () => {
  const { context, stop } = start()
  const one = { key: reconcilerKey<number>('one'), plan: () => undefined, apply: async () => false }
  context.run(one)
  expect(() => context.run({ ...one, key: reconcilerKey<number>('one') })).toThrow(
    'a reconciler called one runs already',
  )
  stop.abort()
})
