import type { Clock } from '../../lib/clock.ts'

/** A write of ours, from before the request until the store shows its result. */
export type Write = {
  /**
   * The request was answered: the object now has this version, or (undefined) is gone. Resolves once the store has
   * shown that, or after five seconds: the cache may have skipped it.
   */
  readonly done: (version: string | undefined) => Promise<void>
  /** The request failed. */
  readonly failed: () => void
}

const patienceMs = 5000

/**
 * Tells when the store shows what was written. Versions are opaque, so a later one is not told from an earlier one;
 * therefore all that are shown during a write are kept: its result may arrive before the answer does.
 */
export function writes(clock: Clock) {
  const open = new Map<string, Set<(version: string | undefined) => void>>()

  const begin = (key: string, present: string | undefined): Write => {
    const shown = new Set([present])
    const end = new AbortController()
    let awaited: { readonly version: string | undefined } | undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    const close = (): void => {
      const others = open.get(key)
      others?.delete(note)
      if (others?.size === 0) open.delete(key)
      end.abort()
      resolve()
    }
    const note = (version: string | undefined): void => {
      if (awaited === undefined) shown.add(version)
      else if (awaited.version === version) close()
    }
    open.set(key, (open.get(key) ?? new Set()).add(note))
    return {
      done: async (version) => {
        if (shown.has(version)) close()
        awaited = { version }
        clock.after(patienceMs, end.signal, close)
        await promise
      },
      failed: close,
    }
  }

  return {
    begin,
    /** The store shows this version of `key`, or that it is absent. */
    seen: (key: string, version: string | undefined): void => {
      for (const note of open.get(key) ?? []) note(version)
    },
  }
}
