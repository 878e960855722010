import { expect } from 'vitest'
import { services } from '../../operator/objects/resources.ts'
import { ApiBed, never } from '../kube/controller/api-bed.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { installOperator, namespace } from './operator-process.ts'
import { joinOf, playAgents, type PlayedAgents } from './played-agents.ts'
import { isLeading, type Replica, type Replicas } from './replicas.ts'

const faults = ['kill', 'terminate', 'stop', 'cut'] as const
const oneOf = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)]!

/** A tailnet and an API server without nodes, where agents are played, for replicas of the operator. */
export class ReplicasBed implements AsyncDisposable {
  readonly bed: Bed
  readonly #kube: ApiBed
  readonly #agents: PlayedAgents
  readonly #problems: string[] = []
  readonly #exposed: string[] = []

  private constructor(bed: Bed, kube: ApiBed) {
    this.bed = bed
    this.#kube = kube
    this.#agents = playAgents(kube.direct, {
      namespace,
      problem: (text) => void this.#problems.push(text),
      join: joinOf(bed),
    })
  }

  static async start(): Promise<ReplicasBed> {
    const bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
    const kube = await ApiBed.start(bed)
    await installOperator(bed)
    await bed.cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps' } })
    return new ReplicasBed(bed, kube)
  }

  printOnFailure(): void {
    printLogsOnFailure(this.bed)
  }

  /** Exposes a Service to the tailnet, under its name. */
  async expose(name: string): Promise<void> {
    const annotations = { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': name }
    const metadata = { name, namespace: 'apps', annotations }
    const spec = { selector: { app: 'a' }, ports: [{ port: 80 }] }
    this.#exposed.push(name)
    await this.#kube.direct.create(services, { apiVersion: 'v1', kind: 'Service', metadata, spec }, never)
  }

  /** Waits until replicas have done what a Service asks for. */
  async isReady(replicas: Replicas, name: string): Promise<void> {
    const standing = async (): Promise<string> => {
      await replicas.revive()
      return this.#standing(name)
    }
    await expect.poll(standing).toMatch(/^ProxyCreated/)
  }

  async #standing(name: string): Promise<string> {
    const service = await this.#kube.direct.get(services, { name, namespace: 'apps' }, never)
    const { conditions = [] } = (service?.['status'] ?? {}) as {
      conditions?: { type: string; reason: string; message: string }[]
    }
    const ready = conditions.find(({ type }) => type === 'TailscaleProxyReady')
    return ready === undefined ? 'nothing' : `${ready.reason}: ${ready.message}`
  }

  /** The names in the tailnet. */
  async nodes(): Promise<string[]> {
    return (await this.bed.control.nodes()).map(({ name }) => name).toSorted()
  }

  /** Replicas do their work through a number of random faults; nothing is done twice or left out. */
  async survives(replicas: Replicas, count: number): Promise<void> {
    const before = this.#exposed.length
    for (let number = 0; number < count; number += 1) {
      const made = Promise.all(Array.from({ length: 5 }, (_, index) => this.expose(`fault-${number}-${index}`)))
      // The leader mostly, at whatever it is doing.
      const running = replicas.all.filter(({ process }) => !process.hasEnded)
      const victim = (Math.random() < 0.7 ? replicas.leader : undefined) ?? oneOf(running)
      const fault = oneOf(faults)
      await this.#happens(replicas, victim, fault)
      await made
      for (const one of replicas.all) if (one.process.hasEnded) await replicas.restart(one.name)
      const leader = async (): Promise<string | undefined> => {
        await replicas.revive()
        return replicas.leader?.name
      }
      await expect.poll(leader, { message: `a leader after ${number}: ${fault}` }).toBeDefined()
      const broken = fault === 'stop' ? replicas.takeLate() : replicas.broken
      expect(broken, `after ${number}: ${fault}`).toEqual([])
    }
    for (const name of this.#exposed.slice(before)) await this.isReady(replicas, name)
    expect(await this.nodes()).toEqual([...this.#exposed].toSorted())
    expect(this.#problems).toEqual([])
    expect(replicas.broken).toEqual([])
  }

  async #happens(replicas: Replicas, { name, process, proxy }: Replica, fault: (typeof faults)[number]): Promise<void> {
    const lasting = async (begin: () => void, end: () => void): Promise<void> => {
      const wasLeader = isLeading(process)
      const others = replicas.all.filter((one) => one.name !== name)
      begin()
      // Until another works, if this one did.
      if (wasLeader)
        await expect
          .poll(() => others.some((one) => one.process.hasEnded || isLeading(one.process)), { message: fault })
          .toBe(true)
      const isTaken = wasLeader && others.some((one) => isLeading(one.process))
      end()
      // If another has ended instead, the Lease may not have expired.
      if (isTaken) await process.end()
    }
    if (fault === 'kill' || fault === 'terminate') {
      process.signal(fault === 'kill' ? 'SIGKILL' : 'SIGTERM')
      await process.end()
    } else if (fault === 'stop')
      await lasting(
        () => process.signal('SIGSTOP'),
        () => process.signal('SIGCONT'),
      )
    else
      await lasting(
        () => proxy.cut(),
        () => proxy.heal(),
      )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agents[Symbol.asyncDispose]()
    await this.#kube[Symbol.asyncDispose]()
    await this.bed.down()
  }
}
