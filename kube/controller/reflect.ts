import { backoff } from '../../lib/backoff.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { KubeError } from '../error.ts'
import type { Api } from './api.ts'
import { keyOf, type KubeObject } from './object.ts'
import type { Resource, Scope } from './resource.ts'
import type { Difference, Store } from './store.ts'

/** In milliseconds. */
export type ReflectWaits = {
  /** How long the API is asked to keep a watch, give or take a tenth: below the usual idle limits of load balancers. */
  readonly watch: number
  /** A watch that the API has not ended this much later is ended here. */
  readonly grace: number
  /** The first pause after a failure, and the longest. */
  readonly retry: number
  readonly longest: number
  /** A watch that ended sooner counts as failed. */
  readonly settled: number
}

const defaults: ReflectWaits = { watch: 240_000, grace: 10_000, retry: 1000, longest: 30_000, settled: 5000 }

export type ReflectOptions = {
  readonly resource: Resource
  readonly scope?: Scope
  readonly store: Store
  /** What is stored of an object. It gets a copy that it may change. */
  readonly trim?: (object: KubeObject) => KubeObject
  /** Objects a page. */
  readonly limit?: number
  /** Called with the reason why the objects are not followed, and with undefined once they are. */
  readonly problem: (text: string | undefined, error?: unknown) => void
  readonly waits?: Partial<ReflectWaits>
  readonly clock?: Clock
  readonly random?: () => number
}

/** What follows the objects of one kind. */
export type Source = {
  readonly name: string
  /** Resolves when the store has all objects. */
  readonly synced: Promise<void>
  readonly isSynced: () => boolean
  /** Lists all objects anew. Resolves when the store has what there was at the time of the call. */
  readonly refresh: () => Promise<void>
  /** Milliseconds since the last event, bookmark or list. */
  readonly silence: () => number
  /** Nothing was heard for three times as long as a watch lasts. */
  readonly isDeaf: () => boolean
  readonly counts: () => ReflectCounts
}

export type ReflectCounts = {
  /** Complete lists, and attempts to watch. */
  readonly lists: number
  readonly watches: number
  /** Objects that a list after the first showed to have been missed by the watch. */
  readonly missed: number
}

/** Watches in a row that the API refused or ended with an error before the objects are listed anew. */
const mostRefusals = 3

/**
 * Keeps the store as the cluster is, until `signal` aborts: lists all objects in pages, and watches what happens from
 * there. A watch that ends is continued at the same version; when that is too old, or the API goes on failing, or
 * nothing was heard during two watches, the objects are listed anew and compared. Failures are followed by pauses that
 * grow, for each source alone. Never throws.
 */
export function reflect(api: Pick<Api, 'page' | 'watch'>, options: ReflectOptions, signal: AbortSignal): Source {
  const {
    resource,
    scope = {},
    store,
    limit = 500,
    trim = (object: KubeObject) => object,
    clock = systemClock,
    random = Math.random,
  } = options
  const waits = { ...defaults, ...options.waits }
  const pauses = backoff(waits.retry, waits.longest, random)
  const { promise: synced, resolve } = Promise.withResolvers<void>()
  const counts = { lists: 0, watches: 0, missed: 0 }
  let isSynced = false
  let heard = clock.now()
  let problem: string | undefined
  /** Who waits for a list that is still to begin. */
  const awaited: (() => void)[] = []
  /** Aborted when a list is asked for. */
  let asked = new AbortController()
  const tell = (text: string | undefined, error?: unknown): void => {
    if (text !== problem) options.problem(text, error)
    problem = text
  }

  const list = async (): Promise<string> => {
    asked = new AbortController()
    const before = awaited.length
    const objects: KubeObject[] = []
    for (let next: string | undefined; ;) {
      const page = await api.page(resource, { scope, limit, next }, signal)
      objects.push(...page.objects.map(trim))
      next = page.next
      if (next !== undefined) continue
      const difference = store.replace(objects)
      heard = clock.now()
      // Before a list that was asked for, the watch may just not have shown everything yet.
      if (counts.lists > 0 && before === 0) counts.missed += total(difference)
      counts.lists += 1
      isSynced = true
      resolve()
      for (const served of awaited.splice(0, before)) served()
      return page.version
    }
  }

  /** Watches once from `version` on, and calls `moved` with each version that it gets to. */
  const watch = async (version: string, moved: (version: string) => void): Promise<void> => {
    const ms = Math.round(waits.watch * (0.9 + 0.2 * random()))
    const end = AbortSignal.any([signal, asked.signal, clock.timeout(ms + waits.grace)])
    const closed = new AbortController()
    counts.watches += 1
    try {
      for await (const event of api.watch(resource, { scope, version, seconds: Math.ceil(ms / 1000) }, end)) {
        if (event.type === 'open') {
          clock.after(waits.settled, closed.signal, () => tell(undefined))
          continue
        }
        heard = clock.now()
        if (event.type === 'set') store.set(trim(event.object))
        else if (event.type === 'remove') store.remove(keyOf(event.object.metadata))
        moved(event.version)
      }
    } finally {
      closed.abort()
    }
  }

  const follow = async (): Promise<void> => {
    let version: string | undefined
    let refusals = 0
    while (!signal.aborted) {
      const began = clock.now()
      let failure: unknown
      const moved = (to: string): void => {
        version = to
        refusals = 0
      }
      try {
        const isSilent = clock.now() - heard >= 2 * (waits.watch + waits.grace)
        if (version === undefined || awaited.length > 0 || isSilent) {
          version = await list()
          refusals = 0
        }
        if (awaited.length === 0) await watch(version, moved)
      } catch (error) {
        failure = error
      }
      if (signal.aborted) return
      if (asked.signal.aborted) continue
      // Only the opening of a watch fails with a KubeError without a status.
      const opened = !(failure instanceof KubeError) || failure.status !== undefined
      const lasted = opened && clock.now() - began >= waits.settled
      if (lasted) pauses.reset()
      // A watch that was cut after a while is nothing unusual: it goes on where it was.
      if (lasted && !answered(failure)) continue
      if (answered(failure)) refusals += 1
      const expired = answered(failure) && failure.status === 410
      if (expired || refusals >= mostRefusals) version = undefined
      const isFirst = pauses.attempts() === 0
      const pause = pauses.next()
      // Nor is it that a version expires.
      if (expired && isFirst) continue
      if (failure !== undefined) tell(describe(failure), failure)
      await clock.sleep(pause, AbortSignal.any([signal, asked.signal]))
    }
  }
  void follow()

  return {
    name: resource.plural,
    synced,
    isSynced: () => isSynced,
    refresh: () =>
      new Promise((served) => {
        awaited.push(served)
        asked.abort()
      }),
    silence: () => clock.now() - heard,
    isDeaf: () => clock.now() - heard >= 3 * waits.watch,
    counts: () => ({ ...counts }),
  }
}

/** Whether the API said it, rather than that it could not be reached. */
const answered = (error: unknown): error is KubeError => error instanceof KubeError && error.status !== undefined

const total = ({ added, changed, removed }: Difference): number => added + changed + removed
