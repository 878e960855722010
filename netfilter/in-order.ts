/** An element of a map, or of a set if `value` is empty. */
export type Entry<Key extends string = string> = { readonly key: Key; readonly value: string }

const known = new WeakMap<ReadonlyMap<string, string>, readonly Entry[]>()

/** The entries of a map in its order, computed once, so that maps which share them compare quickly. */
export function inOrder(map: ReadonlyMap<string, string>): readonly Entry[] {
  let entries = known.get(map)
  if (entries === undefined) {
    entries = [...map].map(([key, value]) => ({ key, value }))
    known.set(map, entries)
  }
  return entries
}

/** The map of these entries; the last of a key counts. If each key occurs once, the map shares the entries. */
export function mapOf<Key extends string>(entries: readonly Entry<Key>[]): ReadonlyMap<Key, string> {
  const map = new Map<Key, string>()
  for (const { key, value } of entries) map.set(key, value)
  if (map.size === entries.length) known.set(map, entries)
  return map
}
