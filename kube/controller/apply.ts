import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Api } from './api.ts'
import { type Flight, UserError } from './controller.ts'
import { appliedBy, comparable } from './managed.ts'
import { keyOf, type KubeObject } from './object.ts'
import { apiVersionOf, inWords, type Resource } from './resource.ts'
import type { Store } from './store.ts'
import { byTurns } from './turns.ts'

/** A kind that is written, with the cache of its objects. The cache must keep the managed fields of the manager. */
export type Written = { readonly resource: Resource; readonly store: Store }

export type ApplyOptions = {
  /** `status`, for example. */
  readonly subresource?: string
  /** Whether an object that is there already may be changed; otherwise UserError. */
  readonly owns?: (present: KubeObject) => boolean
}

export type Applier = {
  /**
   * Brings the fields of `object` into the cluster by server-side apply, also against other field managers, and takes
   * out those that were applied before and are not in `object` any more. Writes nothing if that is so already. With a
   * `uid`, a conflict if the object is gone or another has its name now.
   */
  readonly apply: (object: KubeObject, flight: Flight, options?: ApplyOptions) => Promise<'written' | 'unchanged'>
  /** Deletes what of `present` is not in `plan`; what is being deleted already is left to that. Gives how many. */
  readonly prune: (present: Iterable<KubeObject>, plan: readonly KubeObject[], flight: Flight) => Promise<number>
}

/**
 * Writes objects under one field manager, those of one name one after the other. After a write the flight holds its key
 * until the cache shows the result.
 */
export function applier(
  api: Pick<Api, 'get' | 'patch' | 'delete'>,
  manager: string,
  kinds: readonly Written[],
): Applier {
  const turns = byTurns()
  /**
   * What was applied last, by object and subresource, and what it looked like: values that the API writes in another
   * way would never be equal.
   */
  const last = new Map<string, Map<string | undefined, { readonly wanted: string; readonly became: string }>>()
  for (const { store } of kinds)
    store.listen(({ before, after }) => {
      if (before !== undefined && after === undefined) last.delete(idOf(before))
    })
  const kindOf = ({ apiVersion, kind }: KubeObject): Written => {
    const found = kinds.find(({ resource }) => resource.kind === kind && apiVersionOf(resource) === apiVersion)
    if (found === undefined) throw new Error(`nothing writes ${kind} of ${apiVersion}`)
    return found
  }
  const idOf = ({ apiVersion, kind, metadata }: KubeObject): string => `${apiVersion} ${kind} ${keyOf(metadata)}`

  const isApplied = (object: KubeObject, present: KubeObject, subresource?: string): boolean => {
    const view = appliedBy(manager, present, subresource)
    if (view === undefined) return false
    const wanted = comparable(object)
    if (isDeepStrictEqual(view, wanted)) return true
    const before = last.get(idOf(object))?.get(subresource)
    return before !== undefined && before.wanted === hash(wanted) && before.became === hash(view)
  }

  const check = (resource: Resource, present: KubeObject | undefined, owns: ApplyOptions['owns']): void => {
    if (present === undefined || owns === undefined || owns(present)) return
    const words = inWords(resource, present.metadata)
    throw new UserError('NotOwned', `${words} exists already and belongs to somebody else`, 'Delete or rename it.')
  }

  return {
    apply: (object, flight, { subresource, owns } = {}) => {
      const id = idOf(object)
      return turns(id, async () => {
        const { resource, store } = kindOf(object)
        const key = keyOf(object.metadata)
        const cached = store.get(key)
        check(resource, cached, owns)
        if (cached !== undefined && isApplied(object, cached, subresource)) return 'unchanged'
        // The cache may not show it yet, or not be meant to show objects of others.
        if (cached === undefined && owns !== undefined)
          check(resource, await api.get(resource, object.metadata, flight.signal), owns)
        const write = store.writing(key)
        try {
          const hidden = Object.values(object.kind === 'Secret' ? (object['data'] ?? {}) : {}).map(String)
          const patch = { type: 'apply', body: object, manager, force: true, subresource, hidden } as const
          const result = await api.patch(resource, object.metadata, patch, flight.signal)
          const view = appliedBy(manager, result, subresource)
          const applied = { wanted: hash(comparable(object)), became: hash(view) }
          last.set(id, new Map(last.get(id)).set(subresource, applied))
          flight.wrote(write.done(result.metadata.resourceVersion))
        } catch (error) {
          write.failed()
          throw error
        }
        return 'written'
      })
    },

    prune: async (present, plan, flight) => {
      const planned = new Set(plan.map(idOf))
      const surplus = [...present].filter(
        (object) => !planned.has(idOf(object)) && object.metadata.deletionTimestamp === undefined,
      )
      for (const object of surplus) {
        await turns(idOf(object), async () => {
          const { resource, store } = kindOf(object)
          const { name, namespace, uid = '' } = object.metadata
          const write = store.writing(keyOf(object.metadata))
          try {
            const left = await api.delete(
              resource,
              { name, namespace, uid },
              { propagation: 'Background' },
              flight.signal,
            )
            flight.wrote(write.done(left?.metadata.resourceVersion))
          } catch (error) {
            write.failed()
            throw error
          }
        })
      }
      return surplus.length
    },
  }
}

const hash = (value: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(value) ?? '')
    .digest('base64')
