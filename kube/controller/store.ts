import { type Clock, systemClock } from '../../lib/clock.ts'
import type { Index } from './indexes.ts'
import { deepFreeze, keyOf, type KubeObject } from './object.ts'
import { type Write, writes } from './writes.ts'

/** What happened to the object `key`. Not to be changed: objects are frozen. */
export type Change<T extends KubeObject = KubeObject> = {
  readonly key: string
  /** Undefined: it is new. */
  readonly before: T | undefined
  /** Undefined: it is gone. */
  readonly after: T | undefined
  /** It was there when the store was filled for the first time. */
  readonly initial: boolean
}

/** How many objects a list had that were new, different or gone. */
export type Difference = { readonly added: number; readonly changed: number; readonly removed: number }

export type StoreOptions<T extends KubeObject> = {
  readonly indexes?: Readonly<Record<string, Index<T>>>
  /** Called with what a listener or an index threw: it affects neither the store nor other listeners. */
  readonly failed: (error: unknown, key: string) => void
  readonly clock?: Clock
}

/** The objects of one kind as they were last seen: frozen, by key, and by the values of each index. */
export type Store<T extends KubeObject = KubeObject> = {
  readonly get: (key: string) => T | undefined
  readonly all: () => Iterable<T>
  readonly size: () => number
  /** The objects that have `value` in an index, in the order in which they came. */
  readonly by: (index: string, value: string) => readonly T[]
  /** Calls `listener` after each change, when the store shows it already. Gives what ends that. */
  readonly listen: (listener: (change: Change<T>) => void) => () => void
  /** Sets an object; what is equal in resourceVersion to the present one is ignored. */
  readonly set: (object: T) => void
  readonly remove: (key: string) => void
  /** Makes these all the objects there are. Listeners are called when the store shows all of them. */
  readonly replace: (objects: readonly T[]) => Difference
  /** To be called before `key` is written, so that the store can tell when it shows the result. */
  readonly writing: (key: string) => Write
}

export function store<T extends KubeObject>({ indexes = {}, failed, clock = systemClock }: StoreOptions<T>): Store<T> {
  const objects = new Map<string, T>()
  const listeners = new Set<(change: Change<T>) => void>()
  const written = writes(clock)
  const tables = Object.entries(indexes).map(([name, index]) => ({ name, index, keys: new Map<string, Set<string>>() }))
  /** The values of each key, index by index: an index need not give the same twice. */
  const held = new Map<string, readonly (readonly string[])[]>()
  let filled = false

  const guarded = <R>(key: string, instead: R, action: () => R): R => {
    try {
      return action()
    } catch (error) {
      failed(error, key)
      return instead
    }
  }

  const index = (key: string, object: T | undefined): void => {
    const before = held.get(key)
    const after = object && tables.map((table) => guarded(key, [], () => [...new Set(table.index(object))]))
    for (const [at, { keys }] of tables.entries()) {
      for (const value of before?.[at] ?? []) {
        const under = keys.get(value)
        under?.delete(key)
        if (under?.size === 0) keys.delete(value)
      }
      for (const value of after?.[at] ?? []) keys.set(value, (keys.get(value) ?? new Set()).add(key))
    }
    if (after === undefined) held.delete(key)
    else held.set(key, after)
  }

  /** Puts or removes an object; undefined if that changes nothing. */
  const put = (key: string, object: T | undefined, initial = false): Change<T> | undefined => {
    const before = objects.get(key)
    if (object === undefined ? before === undefined : isSame(before, object)) return undefined
    const after = object && deepFreeze(object)
    if (after === undefined) objects.delete(key)
    else objects.set(key, after)
    index(key, after)
    return { key, before, after, initial }
  }

  const announce = (change: Change<T> | undefined): void => {
    if (change === undefined) return
    for (const listener of listeners) guarded(change.key, undefined, () => listener(change))
  }

  const versionOf = (key: string): string | undefined => objects.get(key)?.metadata.resourceVersion
  const seen = (key: string): void => written.seen(key, versionOf(key))

  return {
    get: (key) => objects.get(key),
    all: () => objects.values(),
    size: () => objects.size,
    by: (name, value) => {
      const table = tables.find((one) => one.name === name)
      if (table === undefined) throw new Error(`the store has no index ${name}`)
      return [...(table.keys.get(value) ?? [])].map((key) => objects.get(key)!)
    },
    listen: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    set: (object) => {
      const key = keyOf(object.metadata)
      const change = put(key, object)
      seen(key)
      announce(change)
    },
    remove: (key) => {
      const change = put(key, undefined)
      seen(key)
      announce(change)
    },
    replace: (list) => {
      const initial = !filled
      filled = true
      const present = new Map(list.map((object) => [keyOf(object.metadata), object]))
      const gone = [...objects.keys()].filter((key) => !present.has(key))
      const changes = [
        ...gone.map((key) => put(key, undefined, initial)),
        ...[...present].map(([key, object]) => put(key, object, initial)),
      ].filter((change) => change !== undefined)
      for (const key of [...gone, ...present.keys()]) seen(key)
      changes.forEach(announce)
      const added = changes.filter(({ before }) => before === undefined).length
      return { added, changed: changes.length - added - gone.length, removed: gone.length }
    },
    writing: (key) => written.begin(key, versionOf(key)),
  }
}

const isSame = (before: KubeObject | undefined, after: KubeObject): boolean =>
  before !== undefined &&
  after.metadata.resourceVersion !== undefined &&
  before.metadata.resourceVersion === after.metadata.resourceVersion &&
  before.metadata.uid === after.metadata.uid
