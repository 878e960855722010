import type { Api, WatchEvent } from '../../../../kube/controller/api.ts'
import type { KubeObject, Metadata } from '../../../../kube/controller/object.ts'
import type { Scope } from '../../../../kube/controller/resource.ts'
import { KubeError } from '../../../../kube/error.ts'
import type { Clock } from '../../../../lib/clock.ts'
import { aborted } from '../../../../lib/timers.ts'
import type { OwnClock } from './own-clock.ts'

type Spec = Readonly<Record<string, unknown>>

/** What a candidate uses of the API. */
export type LeaseApi = Pick<Api, 'get' | 'patch' | 'page' | 'watch'>

/** How the network treats a candidate's requests at the moment. */
export type Network = {
  /** Nothing arrives, in neither direction. */
  isCut: boolean
  /** Milliseconds for one direction. */
  delay: () => number
}

/** Milliseconds after which a request is given up, as by the client of the API. */
const callMs = 30_000

/** Milliseconds after which no leader works any more that has not renewed its Lease. */
const hiddenMs = 15_000

const leaseOf = (name: string, resourceVersion: string, more: Partial<Metadata> = {}, spec: Spec = {}): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { ...more, name, namespace: 'ns', resourceVersion },
  spec,
})

const refusal = (status: number, reason: string, retryable = false): KubeError =>
  new KubeError(`played: ${reason}`, { status, reason, retryable })

/** Whose Lease is asked for. */
const nameIn = ({ fields = '' }: Scope): string => fields.replace('metadata.name=', '')

/** An API server with Leases, in virtual time. All of them count versions together. */
export class PlayedLeases {
  readonly #clock: Clock
  readonly #watchers = new Set<(event: WatchEvent) => void>()
  readonly #leases = new Map<string, KubeObject>()
  /** When somebody else has taken away what leaders had written, the last time. */
  readonly #emptied = new Map<string, number>()
  #version = 0

  constructor(clock: Clock, names: readonly string[] = ['lease']) {
    this.#clock = clock
    for (const name of names) this.#set(name, {}, {})
  }

  get holder(): unknown {
    return this.holderOf('lease')
  }

  holderOf(name: string): unknown {
    return (this.#leases.get(name)?.['spec'] as Spec | undefined)?.['holderIdentity']
  }

  delete(name = 'lease'): void {
    const object = this.#leases.get(name)
    if (object === undefined) return
    this.#version += 1
    this.#leases.delete(name)
    this.#tell({ type: 'remove', object, version: String(this.#version) })
  }

  /** As by a program that replaces the Lease by that of a manifest. */
  wipe(name = 'lease'): void {
    this.#emptied.set(name, this.#clock.now())
    this.#set(name, {}, {})
  }

  recreate(name = 'lease'): void {
    this.delete(name)
    this.wipe(name)
  }

  /** Has the Lease declare what nobody declares. */
  garble(name = 'lease'): void {
    const lease = this.#leases.get(name)
    if (lease !== undefined) this.#set(name, { annotations: { 'culvert/shards': 'x' } }, lease['spec'] as Spec)
  }

  /** What brings back the Leases of now, and counts versions from there: watches do not tell. */
  snapshot(): () => void {
    const [leases, version] = [[...this.#leases], this.#version]
    return () => {
      this.#leases.clear()
      for (const [name, lease] of leases) this.#leases.set(name, lease)
      this.#version = version
    }
  }

  #set(name: string, metadata: Partial<Metadata>, spec: Spec): KubeObject {
    this.#version += 1
    const version = String(this.#version)
    const object = leaseOf(name, version, metadata, spec)
    this.#leases.set(name, object)
    this.#tell({ type: 'set', object, version })
    return object
  }

  #tell(event: WatchEvent): void {
    for (const watcher of this.#watchers) watcher(event)
  }

  #patch(name: string, type: string, body: KubeObject): KubeObject {
    const { resourceVersion, annotations } = body.metadata
    const present = this.#leases.get(name)
    if (present === undefined && type !== 'apply') throw refusal(404, 'NotFound')
    if (resourceVersion !== undefined && resourceVersion !== present?.metadata.resourceVersion)
      throw refusal(409, 'Conflict')
    // Field managers that do not agree.
    if (type === 'apply' && typeof this.holderOf(name) === 'string') throw refusal(409, 'Conflict')
    const merged = { ...(present?.['spec'] as Spec | undefined), ...(body['spec'] as Spec) }
    const noted = { ...present?.metadata.annotations, ...annotations }
    const metadata = Object.keys(noted).length === 0 ? {} : { annotations: noted }
    return this.#set(name, metadata, Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)))
  }

  /**
   * The API as a process reaches it through its network. It does not show an emptied Lease, as long as a leader from
   * before may work, to a process that sees its first one: that cannot tell it from one which nobody has held.
   */
  reachedBy(own: OwnClock, network: Network): LeaseApi {
    const shown = new Set<string>()
    const travel = async (signal: AbortSignal): Promise<void> => {
      await this.#clock.sleep(network.delay())
      if (network.isCut) await aborted(signal)
    }
    const ask = async <T>(given: AbortSignal, action: () => T): Promise<T> => {
      const signal = AbortSignal.any([given, own.timeout(callMs)])
      const done = async (): Promise<T> => {
        await travel(signal)
        // What has arrived is done, even if nobody waits for it any more.
        if (network.isCut) throw signal.reason
        let answer: () => T
        try {
          const value = action()
          answer = () => value
        } catch (error) {
          answer = () => {
            throw error
          }
        }
        await travel(signal)
        return answer()
      }
      const givenUp = aborted(signal).then(() => {
        throw new KubeError('played: given up', { retryable: true, cause: signal.reason })
      })
      try {
        return await Promise.race([done(), givenUp])
      } finally {
        await own.going()
      }
    }
    const watch = async function* (
      add: (watcher: (event: WatchEvent) => void) => () => void,
      signal: AbortSignal,
    ): AsyncGenerator<WatchEvent> {
      const events: WatchEvent[] = [{ type: 'open' }]
      let wake = Promise.withResolvers<void>()
      const remove = add((event) => {
        events.push(event)
        wake.resolve()
      })
      try {
        while (!signal.aborted) {
          const event = events.shift()
          if (event === undefined) {
            wake = Promise.withResolvers()
            await Promise.race([wake.promise, aborted(signal)])
            continue
          }
          await travel(signal)
          await own.going()
          if (network.isCut || signal.aborted) break
          yield event
        }
      } finally {
        remove()
      }
      throw new KubeError('played: the watch broke', { retryable: true })
    }
    return {
      get: (_resource, { name }, signal) => ask(signal, () => this.#leases.get(name)),
      patch: (_resource, { name }, { type, body }, signal) =>
        ask(signal, () => this.#patch(name, type, body as KubeObject)),
      page: async (_resource, { scope }, signal) => {
        const name = nameIn(scope)
        const page = await ask(signal, () => {
          const emptied = this.#emptied.get(name) ?? Number.NEGATIVE_INFINITY
          if (!shown.has(name) && this.#clock.now() - emptied < hiddenMs) throw refusal(503, 'not yet', true)
          const lease = this.#leases.get(name)
          return { objects: lease === undefined ? [] : [lease], version: String(this.#version), next: undefined }
        })
        shown.add(name)
        return page
      },
      watch: (_resource, { scope, version }, signal) =>
        watch((told) => {
          const name = nameIn(scope)
          const watcher: typeof told = (event) => {
            if (event.type === 'open' || !('object' in event) || event.object.metadata.name === name) told(event)
          }
          // What has happened since the list.
          if (version !== String(this.#version)) {
            const at = { version: String(this.#version) }
            const object = this.#leases.get(name)
            told(object ? { type: 'set', object, ...at } : { type: 'remove', object: leaseOf(name, 'gone'), ...at })
          }
          this.#watchers.add(watcher)
          return () => this.#watchers.delete(watcher)
        }, signal),
    }
  }
}
