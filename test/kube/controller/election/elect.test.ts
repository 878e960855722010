import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualClock } from '../../../lib/virtual-clock.ts'
import { PlayedReplicas, randomOf, times } from './played-replicas.ts'

/** A number of replicas, of which one is leader. */
async function running(count: number, seed = 1) {
  const clock = new VirtualClock()
  const replicas = new PlayedReplicas(clock, count, randomOf(seed))
  await clock.advance(1000)
  expect(replicas.leaders).toHaveLength(1)
  const leader = Array.from({ length: count }, (_, index) => index).find((index) =>
    replicas.of(index).election.isLeader(),
  )!
  return { clock, replicas, leader, [Symbol.dispose]: () => replicas.end() }
}

it('hands over at once when the leader ends, and keeps the others waiting when it is killed', async () => {
  using a = await running(2)
  void a.replicas.terminate(a.leader)
  await a.clock.advance(1000)
  expect(a.replicas.leaders).toEqual([expect.stringContaining(`replica ${1 - a.leader},`)])

  using b = await running(2)
  b.replicas.kill(b.leader)
  await b.clock.advance(times.lease - 2 * times.retry)
  expect(b.replicas.leaders).toEqual([])
  await b.clock.advance(3 * times.retry)
  expect(b.replicas.leaders).toHaveLength(1)
})

it('leaves the Lease to expire if something may be under way', async () => {
  using here = await running(2)
  const { election } = here.replicas.of(here.leader)
  await election.resign({ handOver: false })
  await here.clock.advance(times.deadline)
  expect(here.replicas.leaders).toEqual([])
  expect(() => election.gate.check()).toThrow('it has resigned')
  expect(election.gate.signal.aborted).toBe(true)
})

it('ends being leader before another can be, and says why', async () => {
  using here = await running(2)
  const { election, network } = here.replicas.of(here.leader)
  const reasons: string[] = []
  void election.lost.then((reason) => reasons.push(reason))
  network.isCut = true
  await here.clock.advance(times.deadline + 1000)
  expect(reasons).toEqual(['it could not be renewed for 10 s'])
  expect(() => election.gate.check()).toThrow('not leader any more: it could not be renewed for 10 s')
  expect(here.replicas.leaders).toEqual([])
  await here.clock.advance(times.lease)
  expect(here.replicas.leaders).toHaveLength(1)
  expect(here.replicas.broken).toEqual([])
})

it('lets nothing pass in a process that was paused for longer than the Lease', async () => {
  using here = await running(2)
  const { election, own } = here.replicas.of(here.leader)
  own.pause()
  await here.clock.advance(2 * times.lease)
  expect(here.replicas.leaders).toEqual([expect.stringContaining(`replica ${1 - here.leader},`)])
  // Before any of its timers.
  expect(() => election.gate.check()).toThrow('another process may be the leader')
  own.resume()
  await here.clock.settle()
  expect(election.gate.signal.aborted).toBe(true)
  await here.clock.advance(times.lease)
  expect(here.replicas.broken).toEqual([])
})

it('counts from when it has sent a renewal, also if it is paused before the answer', async () => {
  using here = await running(2)
  const { election, own, network } = here.replicas.of(here.leader)
  network.delay = () => 500
  await here.clock.advance(times.retry)
  own.pause()
  await here.clock.advance(2 * times.lease)
  own.resume()
  await here.clock.settle()
  expect(() => election.gate.check()).toThrow('leader')
})

const losses = ['delete', 'recreate', 'wipe'] as const

it.each(losses)(
  'goes on as leader at a %s of the Lease, nobody else begins, and it hands over at once',
  async (loss) => {
    using here = await running(3)
    const before = here.replicas.leaders
    here.replicas.leases[loss]()
    await here.clock.advance(2 * times.lease)
    expect(here.replicas.leaders).toEqual(before)
    expect(here.replicas.leases.holder).toBe(before[0])
    void here.replicas.terminate(here.leader)
    await here.clock.advance(1000)
    expect(here.replicas.leaders).toHaveLength(1)
    expect(here.replicas.broken).toEqual([])
  },
)

it.each(losses)('waits for the length of a Lease at a %s of it under a leader that is cut off', async (loss) => {
  using here = await running(2)
  here.replicas.of(here.leader).network.isCut = true
  await here.clock.advance(1000)
  here.replicas.leases[loss]()
  await here.clock.advance(times.lease - times.retry)
  expect(here.replicas.leases.holder).toBeUndefined()
  await here.clock.advance(2 * times.retry)
  expect(here.replicas.leaders).toHaveLength(1)
  expect(here.replicas.broken).toEqual([])
})

it('ends being leader when the cluster is in an earlier state, of which its own watch tells nothing', async () => {
  using here = await running(1)
  const { election } = here.replicas.of(0)
  const reasons: string[] = []
  void election.lost.then((reason) => reasons.push(reason))
  const restore = here.replicas.leases.snapshot()
  await here.clock.advance(2 * times.retry)
  restore()
  await here.clock.advance(2 * times.retry)
  expect(reasons).toEqual(['the cluster is in an earlier state, as after a restore of etcd'])
  expect(() => election.gate.check()).toThrow('earlier state')
  await here.clock.advance(2 * times.lease)
  expect(here.replicas.leaders).toHaveLength(1)
  expect(here.replicas.broken).toEqual([])
})

const step = fc.record({
  who: fc.nat(2),
  what: fc.constantFrom(
    ...(['pause', 'resume', 'cut', 'heal', 'kill', 'terminate'] as const),
    ...(['delete', 'recreate', 'wipe', 'clock', 'nothing'] as const),
  ),
  pass: fc.nat(12_000),
})

it('never lets two write, whatever happens to processes, network and clocks, and has a leader again after that', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.integer({ min: 2, max: 3 }),
      fc.nat(),
      async (steps, count, seed) => {
        const clock = new VirtualClock()
        const replicas = new PlayedReplicas(clock, count, randomOf(seed))
        const ends: Promise<void>[] = []
        for (const { who, what, pass } of steps) {
          const { own, network } = replicas.of(who)
          if (what === 'pause') own.pause()
          else if (what === 'resume') own.resume()
          else if (what === 'cut') network.isCut = true
          else if (what === 'heal') network.isCut = false
          else if (what === 'kill') replicas.kill(who)
          else if (what === 'terminate') ends.push(replicas.terminate(who))
          else if (what === 'delete' || what === 'recreate' || what === 'wipe') replicas.leases[what]()
          else if (what === 'clock') own.off += pass % 2 === 0 ? 100 * pass : -100 * pass
          await clock.advance(pass)
          expect(replicas.broken).toEqual([])
        }
        for (let index = 0; index < count; index += 1) {
          replicas.of(index).network.isCut = false
          replicas.of(index).own.resume()
        }
        // A request that the network has swallowed, the pause after it, and the Lease of a leader that is gone.
        await clock.advance(8 * times.lease)
        await Promise.all(ends)
        const before = replicas.written
        await clock.advance(times.lease)
        expect(replicas.broken).toEqual([])
        expect(replicas.leaders).toHaveLength(1)
        expect(replicas.written).toBeGreaterThan(before)
        replicas.end()
      },
    ),
    { numRuns: 40 },
  )
})
