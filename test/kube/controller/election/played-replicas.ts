import type { ElectionTimes } from '../../../../kube/controller/election/candidate.ts'
import { electShards, type Leadership, type Shards } from '../../../../kube/controller/election/shards.ts'
import type { VirtualClock } from '../../../lib/virtual-clock.ts'
import { OwnClock } from './own-clock.ts'
import { type Network, PlayedLeases } from './played-leases.ts'

export const times: ElectionTimes = { lease: 15_000, deadline: 10_000, retry: 2000 }

/** Numbers in [0, 1) that follow from `seed`, by a linear congruential generator. */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

/** Milliseconds between the writes of a leader. */
const busyMs = 500

/** What there is to work on; shard i of n has each n-th from i on. */
const keys = Array.from({ length: 12 }, (_, index) => index)
const keysOf = (shard: number, count: number): readonly number[] => keys.filter((key) => key % count === shard)

/** The most shards that are played. */
const mostShards = 4
const leaseOf = (shard: number): string => (shard === 0 ? 'lease' : `lease-${shard}`)

type Replica = {
  readonly identity: string
  readonly own: OwnClock
  readonly network: Network
  /** Of the first shard. */
  readonly election: Leadership
  readonly all: readonly Leadership[]
  readonly takeNoMore: Shards['takeNoMore']
  /** Aborts when the process is killed. */
  readonly dead: AbortController
  /** Aborts when it begins nothing any more. */
  readonly draining: AbortController
  underWay: number
}

/**
 * Replicas that write whenever their gates let them, in virtual time. One that has lost a Lease is started anew, as
 * kubelet does. `random` gives [0, 1). `shards`: of each replica.
 */
export class PlayedReplicas {
  readonly leases: PlayedLeases
  /** What must not happen. */
  readonly broken: string[] = []
  /** Writes that have arrived. */
  written = 0
  readonly #clock: VirtualClock
  readonly #random: () => number
  readonly #shards: number[]
  readonly #replicas: Replica[] = []
  readonly #ended = new AbortController()
  #started = 0
  /** Of each key, who was elected last to work on it. */
  readonly #latest = new Map<number, string>()

  constructor(clock: VirtualClock, count: number, random: () => number, shards: readonly number[] = []) {
    this.#clock = clock
    this.#random = random
    this.#shards = Array.from({ length: count }, (_, index) => shards[index] ?? 1)
    this.leases = new PlayedLeases(
      clock,
      Array.from({ length: mostShards }, (_, shard) => leaseOf(shard)),
    )
    for (let index = 0; index < count; index += 1) this.#start(index)
  }

  get leaders(): readonly string[] {
    return this.#replicas.filter(({ election }) => election.isLeader()).map(({ identity }) => identity)
  }

  /** How many of its shards each replica leads. */
  get led(): readonly number[] {
    return this.#replicas.map(({ all }) => all.filter(({ isLeader }) => isLeader()).length)
  }

  /** Of each key, how many work on it. */
  get workers(): readonly number[] {
    const led = this.#replicas.flatMap(({ all }) =>
      all.flatMap(({ isLeader }, shard) => (isLeader() ? keysOf(shard, all.length) : [])),
    )
    return keys.map((key) => led.filter((one) => one === key).length)
  }

  of(index: number): Replica {
    return this.#replicas[index % this.#replicas.length]!
  }

  /** Has a replica divide the work in another way from its next start on. */
  divide(index: number, shards: number): void {
    this.#shards[index % this.#shards.length] = shards
  }

  #start(index: number): void {
    this.#started += 1
    const identity = `replica ${index}, process ${this.#started}`
    const count = this.#shards[index]!
    // Clocks differ by a hundredth.
    const own = new OwnClock(this.#clock, 0.99 + 0.02 * this.#random())
    const network: Network = { isCut: false, delay: () => 1 + 50 * this.#random() }
    const dead = new AbortController()
    const nameOf = (shard: number) => ({ namespace: 'ns', name: leaseOf(shard) })
    const others = Array.from({ length: count - 1 }, (_, shard) => nameOf(shard + 1))
    const options = { identity, times, manager: 'test', clock: own, plan: String(count), random: this.#random }
    const api = this.leases.reachedBy(own, network)
    const names = [nameOf(0), ...others] as const
    const { all, takeNoMore } = electShards({ ...options, names, api, problem: () => {} }, dead.signal)
    const draining = new AbortController()
    const replica = { identity, own, network, election: all[0], all, takeNoMore, dead, draining, underWay: 0 }
    this.#replicas[index] = replica
    for (const [shard, { elected, lost }] of all.entries()) {
      void elected.then(() => keysOf(shard, count).map((key) => this.#latest.set(key, identity)))
      void lost.then(() => (this.of(index) === replica ? this.kill(index) : undefined))
      void this.#work(replica, shard)
    }
  }

  async #work(replica: Replica, shard: number): Promise<void> {
    const { identity, own, network, all, dead, draining } = replica
    const { gate } = all[shard]!
    const idle = AbortSignal.any([dead.signal, draining.signal, this.#ended.signal])
    for (;;) {
      await own.sleep(busyMs * (0.5 + this.#random()), idle)
      if (idle.aborted) return
      try {
        gate.check()
      } catch {
        continue
      }
      // It is sent in the same moment, and the network delivers it within the margin, or never.
      if (network.isCut) continue
      const delay = this.#random() < 0.9 ? network.delay() : gate.limitMs * this.#random()
      replica.underWay += 1
      this.#clock.after(delay, this.#ended.signal, () => {
        replica.underWay -= 1
        this.written += 1
        for (const key of keysOf(shard, all.length)) {
          const latest = this.#latest.get(key)
          if (latest === identity) continue
          this.broken.push(`a write of ${identity} to ${key} arrives while ${latest} is the leader`)
        }
      })
    }
  }

  /** Ends a process, and starts another in its place. */
  kill(index: number): void {
    const { dead, own } = this.of(index)
    if (this.#ended.signal.aborted || dead.signal.aborted) return
    dead.abort()
    own.resume()
    this.#start(index % this.#replicas.length)
  }

  /** SIGTERM: it hands over when nothing is under way any more. */
  async terminate(index: number): Promise<void> {
    const replica = this.of(index)
    replica.draining.abort()
    void replica.takeNoMore()
    while (replica.underWay > 0 && !replica.dead.signal.aborted) await replica.own.sleep(100)
    if (replica.dead.signal.aborted) return
    await Promise.all(replica.all.map(({ resign }) => resign({ handOver: true })))
    if (this.of(index) === replica) this.kill(index)
  }

  end(): void {
    this.#ended.abort()
    for (const { dead, own } of this.#replicas) {
      dead.abort()
      own.resume()
    }
  }
}
