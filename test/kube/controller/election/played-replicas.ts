import type { ElectionTimes } from '../../../../kube/controller/election/candidate.ts'
import { elect, type Election } from '../../../../kube/controller/election/elect.ts'
import type { VirtualClock } from '../../../lib/virtual-clock.ts'
import { OwnClock } from './own-clock.ts'
import { type Network, PlayedLeases } from './played-leases.ts'

export const times: ElectionTimes = { lease: 15_000, deadline: 10_000, retry: 2000 }

/** Milliseconds between the writes of a leader. */
const busyMs = 500

type Replica = {
  readonly identity: string
  readonly own: OwnClock
  readonly network: Network
  readonly election: Election
  /** Aborts when the process is killed. */
  readonly dead: AbortController
  /** Aborts when it begins nothing any more. */
  readonly draining: AbortController
  underWay: number
}

/**
 * Replicas that write whenever their gate lets them, in virtual time. One that has lost the Lease is started anew, as
 * kubelet does. `random` gives [0, 1).
 */
export class PlayedReplicas {
  readonly leases: PlayedLeases
  /** What must not happen. */
  readonly broken: string[] = []
  /** Writes that have arrived. */
  written = 0
  readonly #clock: VirtualClock
  readonly #random: () => number
  readonly #replicas: Replica[] = []
  readonly #ended = new AbortController()
  #started = 0
  /** Who was elected last. */
  #latest: string | undefined

  constructor(clock: VirtualClock, count: number, random: () => number) {
    this.#clock = clock
    this.#random = random
    this.leases = new PlayedLeases(clock)
    for (let index = 0; index < count; index += 1) this.#start(index)
  }

  get leaders(): readonly string[] {
    return this.#replicas.filter(({ election }) => election.isLeader()).map(({ identity }) => identity)
  }

  of(index: number): Replica {
    return this.#replicas[index % this.#replicas.length]!
  }

  #start(index: number): void {
    this.#started += 1
    const identity = `replica ${index}, process ${this.#started}`
    // Clocks differ by a hundredth.
    const own = new OwnClock(this.#clock, 0.99 + 0.02 * this.#random())
    const network: Network = { isCut: false, delay: () => 1 + 50 * this.#random() }
    const dead = new AbortController()
    const options = { name: { namespace: 'ns', name: 'lease' }, identity, times, manager: 'test', clock: own }
    const api = this.leases.reachedBy(own, network)
    const election = elect({ ...options, api, problem: () => {}, random: this.#random }, dead.signal)
    const replica = { identity, own, network, election, dead, draining: new AbortController(), underWay: 0 }
    this.#replicas[index] = replica
    void election.elected.then(() => (this.#latest = identity))
    void election.lost.then(() => this.kill(index))
    void this.#work(replica)
  }

  async #work(replica: Replica): Promise<void> {
    const { identity, own, network, election, dead, draining } = replica
    const { gate } = election
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
        const latest = this.#latest
        if (latest !== identity) this.broken.push(`a write of ${identity} arrives while ${latest} is the leader`)
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
    while (replica.underWay > 0 && !replica.dead.signal.aborted) await replica.own.sleep(100)
    if (replica.dead.signal.aborted) return
    await replica.election.resign({ handOver: true })
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
