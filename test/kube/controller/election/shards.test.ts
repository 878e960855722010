import { expect, it } from 'vitest'
import { VirtualClock } from '../../../lib/virtual-clock.ts'
import { each, expectNeverTwo, soon } from './never-two.ts'
import { PlayedReplicas, randomOf, times } from './played-replicas.ts'

/** Replicas with these numbers of shards. */
async function running(...shards: readonly number[]) {
  const clock = new VirtualClock()
  const replicas = new PlayedReplicas(clock, shards.length, randomOf(1), shards)
  await clock.advance(soon)
  expect(replicas.broken).toEqual([])
  return { clock, replicas, [Symbol.dispose]: () => replicas.end() }
}

it.each([
  [1, 4],
  [2, 2],
  [2, 3],
  [2, 4],
  [3, 3],
])('%i replicas lead %i shards, and none leads two more than another', async (count, shards) => {
  using here = await running(...Array.from({ length: count }, () => shards))
  expect(here.replicas.workers).toEqual(each(1))
  const { led } = here.replicas
  expect(Math.max(...led) - Math.min(...led)).toBeLessThanOrEqual(1)
})

it('begins after the length of a Lease if the Lease declared another plan, and at once if it declared this one', async () => {
  const clock = new VirtualClock()
  const replicas = new PlayedReplicas(clock, 1, randomOf(1), [2])
  await clock.advance(times.lease - times.retry)
  expect(replicas.workers).toEqual(each(0))
  await clock.advance(soon)
  expect(replicas.workers).toEqual(each(1))
  const end = replicas.terminate(0)
  await clock.advance(1000)
  await end
  expect(replicas.led).toEqual([1])
  replicas.end()
})

it('goes on with the other shards when the leader of one is killed, and somebody takes that one over', async () => {
  using here = await running(2, 2)
  here.replicas.kill(0)
  await here.clock.advance(1000)
  expect(here.replicas.led).toEqual([0, 1])
  await here.clock.advance(soon)
  expect(here.replicas.workers).toEqual(each(1))
  expect(here.replicas.broken).toEqual([])
})

it('gives the shards of a replica that is told to end to one that leads none', async () => {
  using here = await running(4, 4, 4)
  const { replicas, clock } = here
  const most = replicas.led.indexOf(Math.max(...replicas.led))
  void replicas.terminate(most)
  await clock.advance(soon)
  expect(replicas.workers).toEqual(each(1))
  expect(Math.min(...replicas.led)).toBeGreaterThanOrEqual(1)
})

it.each(['garble', 'wipe', 'recreate'] as const)('goes on at a %s of the first Lease', async (fault) => {
  for (let later = 200; later <= 2000; later += 200) {
    using here = await running(3, 3, 3)
    const before = here.replicas.led
    await here.clock.advance(later)
    here.replicas.leases[fault]()
    for (let count = 0; count < 20; count += 1) {
      await here.clock.advance(times.retry)
      expect(here.replicas.led).toEqual(before)
    }
    expect(here.replicas.broken).toEqual([])
  }
})

it('takes no shard any more when it is told so, and goes on with its own', async () => {
  using here = await running(2, 2)
  const { all, takeNoMore } = here.replicas.of(0)
  await takeNoMore()
  here.replicas.of(1).own.pause()
  await here.clock.advance(soon)
  expect(here.replicas.led[0]).toBe(1)
  expect(all.filter(({ isLeader }) => isLeader())).toHaveLength(1)
  expect(here.replicas.workers.filter((count) => count === 0)).toHaveLength(6)
})

it('stands by with another number of shards while others work, whether that is more or less', async () => {
  using here = await running(2, 2)
  for (const shards of [1, 3]) {
    here.replicas.divide(1, shards)
    here.replicas.kill(1)
    await here.clock.advance(soon)
    expect(here.replicas.led).toEqual([2, 0])
  }
  expect(here.replicas.broken).toEqual([])
})

it('changes the number of shards while replicas are replaced one after the other, there and back', async () => {
  using here = await running(1, 1)
  const { replicas, clock } = here
  for (const shards of [3, 2, 1]) {
    for (const index of [0, 1]) {
      replicas.divide(index, shards)
      const end = replicas.terminate(index)
      await clock.advance(soon)
      await end
      expect(replicas.workers).toEqual(each(1))
    }
  }
  expect(replicas.broken).toEqual([])
})

it('never lets two work on one key, whatever happens to processes, network, clocks and the number of shards, and leaves no key out after that', () =>
  expectNeverTwo(25))
