import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { findGroup } from '../../../operator/group/group.ts'
import { departures, times } from '../../../operator/group-ingress/departures.ts'
import { arrivalMs, mover, nextHosts, type Seen } from '../../../operator/group-ingress/move.ts'
import type { Hosts } from '../../../operator/group-ingress/record.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { settings, worldOf } from '../a-world.ts'
import { proxyGroup, replica, type ReplicaGiven } from './a-group.ts'

const hosts = (group: string, former = '', leaving = ''): Hosts => ({
  group,
  former: former.split(' ').filter(Boolean),
  leaving: leaving.split(' ').filter(Boolean),
})
const waiting: Seen = { isServed: false, exists: () => true, hasLeft: () => false }
const served: Seen = { ...waiting, isServed: true }
const left: Seen = { ...waiting, hasLeft: () => true }

describe('the next step of a Tailscale Service', () => {
  it.each<[string, Hosts | undefined, string, Seen, Hosts]>([
    ['that is new', undefined, 'a', waiting, hosts('a')],
    ['that stays', hosts('a'), 'a', waiting, hosts('a')],
    ['that begins to move', hosts('a'), 'b', waiting, hosts('b', 'a')],
    ['that nobody serves yet where it goes', hosts('b', 'a'), 'b', waiting, hosts('b', 'a')],
    ['that has arrived', hosts('b', 'a'), 'b', served, hosts('b', '', 'a')],
    [
      'that has arrived, and that clients still look for elsewhere',
      hosts('b', '', 'a'),
      'b',
      served,
      hosts('b', '', 'a'),
    ],
    ['that its clients have found', hosts('b', '', 'a'), 'b', left, hosts('b')],
    ['that moves on before it has arrived', hosts('b', 'a'), 'c', waiting, hosts('c', 'b a')],
    ['that arrives from two groups', hosts('c', 'b a'), 'c', served, hosts('c', '', 'b a')],
    ['that moves on when it has arrived', hosts('b', '', 'a'), 'c', waiting, hosts('c', 'b', 'a')],
    ['that arrives while clients leave an earlier group', hosts('c', 'b', 'a'), 'c', served, hosts('c', '', 'a b')],
    ['that turns back before it has arrived', hosts('b', 'a'), 'a', waiting, hosts('a', 'b')],
    ['that turns back when it has arrived', hosts('b', '', 'a'), 'a', waiting, hosts('a', 'b')],
    ['that turns back, and was advertised where it went', hosts('a', 'b'), 'a', served, hosts('a', '', 'b')],
    ['that was given up, and is asked for again', hosts('a', '', 'a'), 'a', waiting, hosts('a')],
    ['that was given up, and is asked for again elsewhere', hosts('a', '', 'a'), 'b', waiting, hosts('b', 'a')],
    ['whose former group is deleted', hosts('b', 'a'), 'b', { ...waiting, exists: (name) => name !== 'a' }, hosts('b')],
    ['whose leaving group is deleted', hosts('b', '', 'a'), 'b', { ...served, exists: () => false }, hosts('b')],
  ])('%s', (_what, before, to, seen, after) => {
    expect(nextHosts(before, to, seen)).toEqual(after)
  })
})

describe('a group that leaves a Tailscale Service to others', () => {
  /** The milliseconds that are left, each time after 10 s more; `hosting`: whether replicas are still hosts. */
  const play = async (hosting: string, settled?: number) => {
    const clock = new VirtualClock()
    const departing = departures(clock)
    const all: (number | undefined)[] = []
    for (const one of hosting) {
      all.push(departing('svc:db', ['a'], () => one === 'x', settled).get('a'))
      await clock.advance(10_000)
    }
    return all
  }

  it('serves until the tailnet has learnt that its replicas have withdrawn it', async () => {
    expect(await play('xx...')).toEqual([140_000, 130_000, times.settled, 10_000, 0])
  })

  it('waits anew when a replica has advertised it again', async () => {
    expect(await play('x..x...').then((all) => all.slice(1))).toEqual([20_000, 10_000, 110_000, 20_000, 10_000, 0])
  })

  it('does not wait for ever for a replica that does not withdraw it', async () => {
    expect(await play('x'.repeat(16)).then((all) => all.slice(-3))).toEqual([10_000, 0, 0])
  })

  it('does not wait for the tailnet if nobody else hosts it', async () => {
    expect(await play('xx.', 0)).toEqual([120_000, 110_000, 0])
  })

  it('waits from the beginning when it has been a host in between', async () => {
    const clock = new VirtualClock()
    const departing = departures(clock)
    const once = () => departing('svc:db', ['a'], () => false).get('a')
    expect(once()).toBe(times.settled)
    await clock.advance(10_000)
    expect(once()).toBe(10_000)
    expect(departing('svc:db', [], () => false).size).toBe(0)
    expect(once()).toBe(times.settled)
  })
})

describe('a move', () => {
  const advertised = ['svc:db']
  const hosting = { advertised }
  /** It has been told to cease, or to begin, and has not done it yet. */
  const ceasing = { advertised, configured: [] }
  const beginning = { advertised: [], configured: advertised }

  /** What becomes of the Tailscale Service of the group `a`, by what is in its record and what replicas report. */
  class Move {
    readonly #clock = new VirtualClock()
    #move = mover(this.#clock)
    #hosts = hosts('a')

    /** Another process goes on, which remembers nothing. */
    restart(): void {
      this.#move = mover(this.#clock)
    }

    /**
     * Each change of the record on the way to a group, and in how many seconds; until nothing happens by itself any more.
     * `replicas`: what one of each group reports meanwhile.
     */
    async to(to: string, replicas: Readonly<Record<string, ReplicaGiven>>, mostMs = Infinity): Promise<string[]> {
      const names = Object.keys(replicas)
      const objects = names.flatMap((name) => [proxyGroup(name), ...replica(`${name}-0`, replicas[name])])
      const world = worldOf(...objects)
      const group = findGroup(world, to, settings)
      if ('missing' in group) throw new Error(group.missing)
      const steps: string[] = []
      let [waited, sum] = [0, 0]
      for (;;) {
        const { hosts: after, again } = this.#move({ group, world, settings }, 'svc:db', this.#hosts)
        const isSame = isDeepStrictEqual(after, this.#hosts)
        this.#hosts = after
        if (!isSame) {
          steps.push(`${waited / 1000} s: ${[after.group, ...after.former].join('+')} ${after.leaving.join()}`.trim())
          waited = 0
          // The record that is written is an event.
          continue
        }
        if (again === undefined || sum + again > mostMs) return steps
        waited += again
        sum += again
        await this.#clock.advance(again)
      }
    }
  }

  it('ends once the replicas of both groups have done their part, and the tailnet knows', async () => {
    const move = new Move()
    expect(await move.to('b', { a: hosting, b: {} })).toEqual(['0 s: b+a'])
    // Not yet accepted.
    expect(await move.to('b', { a: hosting, b: { advertised, accepted: [] } })).toEqual([])
    expect(await move.to('b', { a: hosting, b: hosting }, arrivalMs)).toEqual(['5 s: b a'])
    expect(await move.to('b', { a: ceasing, b: hosting }, 1000)).toEqual([])
    expect(await move.to('b', { a: {}, b: hosting })).toEqual(['20 s: b'])
  })

  it('takes as long again when another process goes on with it', async () => {
    const move = new Move()
    await move.to('b', { a: hosting, b: {} })
    expect(await move.to('b', { a: hosting, b: hosting }, 4000)).toEqual([])
    move.restart()
    expect(await move.to('b', { a: hosting, b: hosting }, arrivalMs)).toEqual(['5 s: b a'])
    move.restart()
    expect(await move.to('b', { a: {}, b: hosting })).toEqual(['20 s: b'])
  })

  it('is not held up for ever by a replica that goes on advertising', async () => {
    const move = new Move()
    expect(await move.to('b', { a: hosting, b: hosting })).toEqual(['0 s: b+a', '5 s: b a', '140 s: b'])
  })

  it('back withdraws nothing until the group advertises again, whatever it did before', async () => {
    const move = new Move()
    expect(await move.to('b', { a: hosting, b: hosting }, arrivalMs)).toEqual(['0 s: b+a', '5 s: b a'])
    // Its replica has not seen yet that it was to withdraw, and does that just now.
    expect(await move.to('a', { a: ceasing, b: hosting })).toEqual(['0 s: a+b'])
    expect(await move.to('a', { a: beginning, b: hosting })).toEqual([])
    expect(await move.to('a', { a: hosting, b: hosting }, arrivalMs)).toEqual(['5 s: a b'])
    expect(await move.to('a', { a: hosting, b: {} })).toEqual(['20 s: a'])
  })

  it('through several groups leaves each of them in its own time', async () => {
    const move = new Move()
    expect(await move.to('b', { a: hosting, b: hosting }, arrivalMs)).toEqual(['0 s: b+a', '5 s: b a'])
    expect(await move.to('c', { a: {}, b: hosting, c: hosting }, arrivalMs)).toEqual(['0 s: c+b a', '5 s: c a,b'])
    expect(await move.to('c', { a: {}, b: {}, c: hosting })).toEqual(['15 s: c b', '5 s: c'])
  })
})
