/** An element of a map, or of a set, where `value` is empty. */
export type Entry<Key extends string = string> = { readonly key: Key; readonly value: string }

const known = new WeakMap<ReadonlyMap<string, string>, readonly Entry[]>()

/** The entries of a map, in its order, made once for each: maps that share them are compared at a glance. */
export function inOrder(map: ReadonlyMap<string, string>): readonly Entry[] {
  let entries = known.get(map)
  if (entries === undefined) {
    entries = [...map].map(([key, value]) => ({ key, value }))
    known.set(map, entries)
  }
  return entries
}

/** The map of these entries, of which the last of a key counts. Where each key occurs once, the map shares them. */
export function mapOf<Key extends string>(entries: readonly Entry<Key>[]): ReadonlyMap<Key, string> {
  const map = new Map<Key, string>()
  for (const { key, value } of entries) map.set(key, value)
  if (map.size === entries.length) known.set(map, entries)
  return map
}
