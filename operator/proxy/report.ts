import { isDeepStrictEqual } from 'node:util'
import type { Api } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import { appliedBy } from '../../kube/controller/managed.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import type { Store } from '../../kube/controller/store.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Condition, timed, type TimedCondition } from '../objects/conditions.ts'
import { manager } from '../world/followed.ts'

type Json = Readonly<Record<string, unknown>>

export type WriterOptions = {
  readonly api: Pick<Api, 'patch'>
  readonly resource: Resource
  readonly store: Store
  readonly apply: Applier['apply']
  readonly clock: Clock
  /** Another process may write the same objects: patches are of the version that was seen. */
  readonly isShared?: boolean | undefined
}

/** Writes what the operator has to say of parents. */
export function parentWriter({ api, resource, store, apply, clock, isShared }: WriterOptions) {
  return {
    /** Makes these all that the operator says in an object's status. */
    status: async (
      object: KubeObject,
      status: Json,
      conditions: readonly Condition[],
      flight: Flight,
    ): Promise<void> => {
      const { apiVersion, kind, metadata } = object
      const all = timed(conditions, conditionsOf(object), metadata.generation, clock.date())
      const wanted = { ...status, ...(all.length > 0 && { conditions: all }) }
      if (Object.keys(wanted).length === 0 && appliedBy(manager, object, 'status') === undefined) return
      const { name, namespace, uid } = metadata
      // With the uid, since the API would make a Service anew that has gone meanwhile.
      const identity = { name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }) }
      await apply({ apiVersion, kind, metadata: identity, status: wanted }, flight, { subresource: 'status' })
    },
    patch: patches({ api, resource, store, isShared }),
  }
}

/** Gives what applies a merge patch, unless that changes nothing, and gives whether it has. */
export const patches =
  ({ api, resource, store, isShared = false }: Pick<WriterOptions, 'api' | 'resource' | 'store' | 'isShared'>) =>
  async (object: KubeObject, patch: Json, flight: Flight): Promise<boolean> => {
    if (isDeepStrictEqual(merged(object, patch), object)) return false
    const { resourceVersion } = object.metadata
    const body = isShared ? merged(patch, { metadata: { resourceVersion } }) : patch
    const write = store.writing(keyOf(object.metadata))
    try {
      const { metadata } = await api.patch(resource, object.metadata, { type: 'merge', body, manager }, flight.signal)
      flight.wrote(write.done(metadata.resourceVersion))
      return true
    } catch (error) {
      write.failed()
      throw error
    }
  }

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The conditions that an object has. */
export function conditionsOf({ status }: KubeObject): readonly Partial<TimedCondition>[] {
  const conditions = isObject(status) ? status['conditions'] : undefined
  return Array.isArray(conditions) ? conditions.filter(isObject) : []
}

/** A value after a JSON merge patch (RFC 7396). */
export function merged(value: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const result: Record<string, unknown> = isObject(value) ? { ...value } : {}
  for (const [name, part] of Object.entries(patch)) {
    if (part === null) delete result[name]
    else result[name] = merged(result[name], part)
  }
  return result
}
