import type { Api, WatchEvent } from '../../../../kube/controller/api.ts'
import type { KubeObject } from '../../../../kube/controller/object.ts'
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

const gone: KubeObject = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'lease', namespace: 'ns', resourceVersion: 'gone' },
}

const refusal = (status: number, reason: string): KubeError =>
  new KubeError(`played: ${reason}`, { status, reason, retryable: false })

/** An API server with one Lease, in virtual time. */
export class PlayedLeases {
  readonly #clock: Clock
  readonly #watchers = new Set<(event: WatchEvent) => void>()
  #lease: KubeObject | undefined
  #version = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#set({})
  }

  get holder(): unknown {
    return (this.#lease?.['spec'] as Spec | undefined)?.['holderIdentity']
  }

  delete(): void {
    const object = this.#lease
    if (object === undefined) return
    this.#version += 1
    this.#lease = undefined
    this.#tell({ type: 'remove', object, version: String(this.#version) })
  }

  /** What brings back the Lease of now, and counts versions from there: watches do not tell. */
  snapshot(): () => void {
    const [lease, version] = [this.#lease, this.#version]
    return () => {
      this.#lease = lease
      this.#version = version
    }
  }

  #set(spec: Spec): KubeObject {
    this.#version += 1
    const version = String(this.#version)
    const metadata = { name: 'lease', namespace: 'ns', resourceVersion: version }
    const object: KubeObject = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
    this.#lease = object
    this.#tell({ type: 'set', object, version })
    return object
  }

  #tell(event: WatchEvent): void {
    for (const watcher of this.#watchers) watcher(event)
  }

  #patch(type: string, body: KubeObject): KubeObject {
    const { resourceVersion } = body.metadata
    const present = this.#lease
    if (present === undefined && type !== 'apply') throw refusal(404, 'NotFound')
    if (resourceVersion !== undefined && resourceVersion !== present?.metadata.resourceVersion)
      throw refusal(409, 'Conflict')
    // Field managers that do not agree.
    if (type === 'apply' && typeof this.holder === 'string') throw refusal(409, 'Conflict')
    const merged = { ...(present?.['spec'] as Spec | undefined), ...(body['spec'] as Spec) }
    return this.#set(Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)))
  }

  /** The API as a process reaches it through its network. */
  reachedBy(own: OwnClock, network: Network): LeaseApi {
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
      get: (_resource, _name, signal) => ask(signal, () => this.#lease),
      patch: (_resource, _name, { type, body }, signal) => ask(signal, () => this.#patch(type, body as KubeObject)),
      page: (_resource, _options, signal) =>
        ask(signal, () => ({
          objects: this.#lease === undefined ? [] : [this.#lease],
          version: String(this.#version),
          next: undefined,
        })),
      watch: (_resource, { version }, signal) =>
        watch((watcher) => {
          // What has happened since the list.
          if (version !== String(this.#version)) {
            const at = { version: String(this.#version) }
            watcher(this.#lease ? { type: 'set', object: this.#lease, ...at } : { type: 'remove', object: gone, ...at })
          }
          this.#watchers.add(watcher)
          return () => this.#watchers.delete(watcher)
        }, signal),
    }
  }
}
