/** An entry: when it is due, and whether it goes before those that are not urgent. */
type Entry = { readonly due: number; readonly urgent: boolean; readonly order: number }

/**
 * Keys with the time at which each is due, one entry a key. Of those that are due, urgent ones come first, and then
 * those that were due first. `now` may not go back from call to call.
 */
export type Schedule = {
  /** An entry that is there already keeps the earlier time, and stays urgent. */
  readonly put: (key: string, due: number, urgent: boolean, now: number) => void
  /** Takes out the first key that is due. */
  readonly take: (now: number) => string | undefined
  /** When the next key is due; undefined if there is none. */
  readonly next: () => number | undefined
  readonly size: () => number
  readonly clear: () => void
}

export function schedule(): Schedule {
  const entries = new Map<string, Entry>()
  /** Keys that are due, in the order in which they became so. */
  const ready = { urgent: new Set<string>(), other: new Set<string>() }
  /** A binary heap of what is not due yet; entries that were replaced since are skipped when they come up. */
  const later: (readonly [key: string, entry: Entry])[] = []
  let order = 0

  const isBefore = (one: number, other: number): boolean => {
    const [a, b] = [later[one]![1], later[other]![1]]
    return a.due < b.due || (a.due === b.due && a.order < b.order)
  }
  const swap = (one: number, other: number): void => {
    ;[later[one], later[other]] = [later[other]!, later[one]!]
  }
  const push = (key: string, entry: Entry): void => {
    later.push([key, entry])
    for (let at = later.length - 1; at > 0;) {
      const parent = (at - 1) >> 1
      if (!isBefore(at, parent)) return
      swap(at, parent)
      at = parent
    }
  }
  const pop = (): void => {
    swap(0, later.length - 1)
    later.pop()
    for (let at = 0; ;) {
      const children = [2 * at + 1, 2 * at + 2].filter((child) => child < later.length)
      const first = children.length === 2 && isBefore(children[1]!, children[0]!) ? children[1] : children[0]
      if (first === undefined || !isBefore(first, at)) return
      swap(at, first)
      at = first
    }
  }
  /** The first entry that is not due yet. */
  const first = (): readonly [string, Entry] | undefined => {
    while (later[0] !== undefined && entries.get(later[0][0]) !== later[0][1]) pop()
    return later[0]
  }
  const file = (key: string, entry: Entry, now: number): void => {
    if (entry.due > now) push(key, entry)
    else (entry.urgent ? ready.urgent : ready.other).add(key)
  }
  const promote = (now: number): void => {
    for (let top = first(); top !== undefined && top[1].due <= now; top = first()) {
      pop()
      file(...top, now)
    }
  }

  return {
    put: (key, wanted, wantedUrgent, now) => {
      promote(now)
      const before = entries.get(key)
      const due = Math.max(now, Math.min(wanted, before?.due ?? Infinity))
      const urgent = wantedUrgent || before?.urgent === true
      if (before !== undefined && before.urgent === urgent && before.due <= due) return
      ready.urgent.delete(key)
      ready.other.delete(key)
      const entry = { due, urgent, order: (order += 1) }
      entries.set(key, entry)
      file(key, entry, now)
    },
    take: (now) => {
      promote(now)
      for (const keys of [ready.urgent, ready.other]) {
        const [key] = keys
        if (key === undefined) continue
        keys.delete(key)
        entries.delete(key)
        return key
      }
      return undefined
    },
    next: () => {
      const [key] = [...ready.urgent.values().take(1), ...ready.other.values().take(1)]
      return key === undefined ? first()?.[1].due : entries.get(key)?.due
    },
    size: () => entries.size,
    clear: () => {
      entries.clear()
      ready.urgent.clear()
      ready.other.clear()
      later.length = 0
    },
  }
}
