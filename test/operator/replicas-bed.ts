import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { leases } from '../../kube/controller/election/lease.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { services } from '../../operator/objects/resources.ts'
import { ApiBed, never } from '../kube/controller/api-bed.ts'
import { render } from '../chart/render.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { ofMany } from '../lab/patience.ts'
import { poll } from '../lab/poll.ts'
import { run } from '../lab/run.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { type Asked, foundIn, managed, parentIn, readyIn, wantedOf } from './exposed-services.ts'
import { installOperator, namespace } from './operator-process.ts'
import { joinOf, playAgents, type PlayedAgents } from './played-agents.ts'
import { oneOf } from './random.ts'
import { isLeading, type Replica, type Replicas } from './replicas.ts'

const faults = ['kill', 'terminate', 'stop', 'cut'] as const

/** A tailnet and an API server without nodes, where agents are played, for replicas of the operator. */
export class ReplicasBed implements AsyncDisposable {
  readonly bed: Bed
  readonly kube: ApiBed
  #agents: PlayedAgents
  readonly #problems: string[] = []
  readonly #exposed: string[] = []

  private constructor(bed: Bed, kube: ApiBed) {
    this.bed = bed
    this.kube = kube
    this.#agents = this.#play()
  }

  #play(): PlayedAgents {
    const problem = (text: string): void => void this.#problems.push(text)
    return playAgents(this.kube.direct, { namespace, problem, join: joinOf(this.bed) })
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
    this.remember(name)
    await this.kube.direct.create(services, { apiVersion: 'v1', kind: 'Service', metadata, spec }, never)
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
    const service: Asked | undefined = await this.kube.direct.get(services, { name, namespace: 'apps' }, never)
    const ready = service && readyIn(service)
    return ready === undefined ? 'nothing' : `${ready.reason}: ${ready.message}`
  }

  /** A Service asks for nothing any more, or does again, without being touched here. */
  forget(name: string): void {
    this.#exposed.splice(this.#exposed.indexOf(name), 1)
  }
  remember(name: string): void {
    this.#exposed.push(name)
  }

  /** Deletes a Service. */
  async remove(name: string): Promise<void> {
    this.forget(name)
    const { metadata } = (await this.kube.direct.get(services, { name, namespace: 'apps' }, never))!
    const target = { name, namespace: 'apps', uid: metadata.uid! }
    await this.kube.direct.delete(services, target, { propagation: 'Background' }, never)
  }

  /** The names in the tailnet. */
  async nodes(): Promise<string[]> {
    return (await this.bed.control.nodes()).map(({ name }) => name).toSorted()
  }

  /** The control server knows the device of a Service’s proxy no more, so its agent asks for another key. */
  async refuse(name: string): Promise<void> {
    const sets = await this.bed.cluster.list<KubeObject>('statefulsets', namespace, managed)
    this.#agents.fault(`${sets.find((one) => parentIn(one) === name)!.metadata.name}-0`, 'key-refused')
  }

  /** Plays agents anew: those that run know a cluster that is not there any more. */
  async replay(change: () => Promise<unknown>): Promise<void> {
    await this.#agents[Symbol.asyncDispose]()
    await change()
    this.#agents = this.#play()
  }

  /**
   * Waits until there is what the Services ask for, and nothing else, in the cluster and in the tailnet, which may also
   * have `others`.
   */
  async settles(replicas: Replicas, others: readonly string[] = []): Promise<void> {
    const found = async () => {
      await replicas.revive()
      return foundIn(this.bed)
    }
    await expect.poll(found, ofMany).toEqual(wantedOf(this.#exposed, others))
    expect(replicas.broken).toEqual([])
  }

  /** Resolves with true once all is as Services ask for. */
  settled(): Promise<true> {
    const wanted = wantedOf(this.#exposed)
    return poll(
      'that all is as it is to be',
      async () => isDeepStrictEqual(await foundIn(this.bed), wanted) || undefined,
      500,
    )
  }

  /**
   * Gives the Lease back in the place of a leader that is dead. `shards`: as the last one of so many shards would, so that
   * others begin at once.
   */
  async freeLease(shards?: number): Promise<void> {
    const name = { namespace, name: 'culvert-operator' }
    const metadata = shards === undefined ? {} : { annotations: { 'culvert/shards': String(shards) } }
    const body = { metadata, spec: { holderIdentity: null } }
    await this.kube.direct.patch(leases, name, { type: 'merge', body, manager: 'test' }, never)
  }

  /** Gives the operator the rights that it needs for so many shards. */
  async permit(shards: number): Promise<void> {
    const all = await render(`--set=operatorConfig.shards=${shards}`, '--set=installCRDs=false')
    await this.bed.cluster.apply(...all.filter(({ kind }) => ['ClusterRole', 'Role', 'Lease'].includes(kind)))
  }

  /** Has etcd refuse to take more, as when its disk or its quota is full, or ends that. */
  async fillEtcd(isFull: boolean): Promise<void> {
    const program = `
      const ask = async (path, body) => (await fetch('http://127.0.0.1:2379/v3/' + path, { method: 'POST', body: JSON.stringify(body) })).json()
      const { header } = await ask('maintenance/status', {})
      console.log(JSON.stringify(await ask('maintenance/alarm', { action: '${isFull ? 'ACTIVATE' : 'DEACTIVATE'}', memberID: header.member_id, alarm: 'NOSPACE' })))`
    const enter = this.bed.cluster.argv.slice(0, -1)
    await run([...enter, process.execPath, '--input-type=module', '--eval', program])
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
    await this.kube[Symbol.asyncDispose]()
    await this.bed.down()
  }
}
