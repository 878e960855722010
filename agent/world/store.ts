import { describe } from '../../lib/errors.ts'
import type { World } from './world.ts'

/** Fields of World that change. */
export type Field = Exclude<keyof World, 'settings' | 'kernelFamilies' | 'firewall'>

/** Changes one field of World; does nothing if `change` returns its argument. */
export type Write<Value> = (change: (now: Value) => Value) => void

/** Holds the newest World and notifies listeners of changes. */
export type Store = {
  readonly world: World
  /**
   * The only writer of a field.
   * @throws Error if the field has one already.
   */
  readonly writer: <Name extends Field>(field: Name) => Write<World[Name]>
  /** Resolves once `condition` holds, at once if it does; rejects with the signal's reason if it aborts first. */
  readonly until: (condition: (world: World) => boolean, signal: AbortSignal) => Promise<World>
  /**
   * Calls `listener` after changes, once per burst. A listener that throws is reported, once for each text, and called
   * again at the next change; the others are not affected.
   */
  readonly watch: (listener: () => void, signal: AbortSignal) => void
}

/** A store with direct access, for its creator. */
export type OwnStore = Store & { readonly update: (change: (world: World) => World) => void }

/** `failed` gets what a listener threw. */
export function createStore(initial: World, failed: (problem: string) => void): OwnStore {
  let world = initial
  let scheduled = false
  const listeners = new Set<() => void>()
  const written = new Set<Field>()
  const reported = new Set<string>()
  const wake = (): void => {
    scheduled = false
    for (const listener of listeners) {
      try {
        listener()
      } catch (error) {
        const text = `a listener failed, and is called again at the next change: ${describe(error)}`
        if (!reported.has(text)) failed(text)
        reported.add(text)
      }
    }
  }
  const update: OwnStore['update'] = (change) => {
    const next = change(world)
    if (next === world) return
    world = next
    if (scheduled) return
    scheduled = true
    setImmediate(wake)
  }
  const watch: Store['watch'] = (listener, signal) => {
    if (signal.aborted) return
    listeners.add(listener)
    signal.addEventListener('abort', () => listeners.delete(listener), { once: true })
  }
  return {
    get world() {
      return world
    },
    update,
    writer: (field) => {
      if (written.has(field)) throw new Error(`World.${field} has another writer already`)
      written.add(field)
      return (change) =>
        update((now) => {
          const value = change(now[field])
          return value === now[field] ? now : { ...now, [field]: value }
        })
    },
    watch,
    until: (condition, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        if (condition(world)) return resolve(world)
        const done = new AbortController()
        const stopWatching = AbortSignal.any([done.signal, signal])
        signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: done.signal })
        watch(() => {
          try {
            if (!condition(world)) return
          } catch (error) {
            // The caller must learn of it; nobody else would.
            done.abort()
            reject(error)
            return
          }
          done.abort()
          resolve(world)
        }, stopWatching)
      }),
  }
}
