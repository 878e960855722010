import type { Api } from './api.ts'
import type { Flight } from './controller.ts'
import { keyOf, type KubeObject } from './object.ts'
import type { Resource } from './resource.ts'
import type { Store } from './store.ts'

export type FinalizeOptions<T extends KubeObject> = {
  readonly resource: Resource
  readonly store: Store<T>
  readonly finalizer: string
  /** The field manager. */
  readonly manager: string
  /** Runs only while the object exists with the finalizer, so that nothing is made that `cleanup` would not undo. */
  readonly apply: (object: T, flight: Flight) => Promise<{ readonly again?: number } | void>
  /**
   * Runs when the object is being deleted; true when it is complete, otherwise possibly when to look again. It may run
   * again after it was complete, and must find what is left by the object's name and labels alone.
   */
  readonly cleanup: (object: T, flight: Flight) => Promise<boolean | { readonly again?: number }>
  /** What belongs to the object is to go though the object stays: as if it were being deleted. */
  readonly isReleased?: boolean
}

/**
 * Reconciles an object that must not go before what belongs to it: sets the finalizer, and applies once the cache shows
 * it; cleans up when the object is being deleted, and removes the finalizer after that.
 */
export async function finalize<T extends KubeObject>(
  api: Pick<Api, 'patch'>,
  object: T,
  { resource, store, finalizer, manager, apply, cleanup, isReleased = false }: FinalizeOptions<T>,
  flight: Flight,
): Promise<{ readonly again?: number } | void> {
  const { metadata } = object
  const has = metadata.finalizers?.includes(finalizer) === true
  const ends = isReleased || metadata.deletionTimestamp !== undefined
  if (has && !ends) return apply(object, flight)
  if (!has && ends) return undefined
  if (ends) {
    // The end of the cleanup is an event of what is being cleaned up.
    const done = await cleanup(object, flight)
    if (done !== true) return done || undefined
  }
  const body = ends ? removal(object, finalizer) : addition(object, finalizer)
  const write = store.writing(keyOf(metadata))
  try {
    const result = await api.patch(resource, metadata, { type: 'json', body, manager }, flight.signal)
    const { deletionTimestamp, finalizers = [], resourceVersion } = result.metadata
    const gone = deletionTimestamp !== undefined && finalizers.length === 0
    flight.wrote(write.done(gone ? undefined : resourceVersion))
  } catch (error) {
    write.failed()
    throw error
  }
  return undefined
}

type Operation = { readonly op: string; readonly path: string; readonly value?: unknown }

const unchanged = ({ metadata }: KubeObject): Operation => ({
  op: 'test',
  path: '/metadata/resourceVersion',
  value: metadata.resourceVersion,
})

/** A patch that adds a finalizer to just this version of an object. */
export const addition = (object: KubeObject, finalizer: string): readonly Operation[] => [
  unchanged(object),
  object.metadata.finalizers === undefined
    ? { op: 'add', path: '/metadata/finalizers', value: [finalizer] }
    : { op: 'add', path: '/metadata/finalizers/-', value: finalizer },
]

/** A patch that removes a finalizer from just this version of an object. */
export function removal(object: KubeObject, finalizer: string): readonly Operation[] {
  const path = `/metadata/finalizers/${object.metadata.finalizers?.indexOf(finalizer) ?? -1}`
  return [unchanged(object), { op: 'test', path, value: finalizer }, { op: 'remove', path }]
}
