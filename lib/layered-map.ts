/**
 * A large immutable map for small changes: recent changes lie over a base that many versions share. Equal maps may have
 * different layers: only `entriesOf` compares them.
 */
export type LayeredMap<Value> = {
  readonly base: ReadonlyMap<string, Value>
  /** Values that replace the base's; undefined for deleted keys. */
  readonly changes: ReadonlyMap<string, Value | undefined>
}

export const layered = <Value>(base: ReadonlyMap<string, Value>): LayeredMap<Value> => ({ base, changes: new Map() })

export const valueAt = <Value>({ base, changes }: LayeredMap<Value>, key: string): Value | undefined =>
  changes.has(key) ? changes.get(key) : base.get(key)

export function* entriesOf<Value>({ base, changes }: LayeredMap<Value>): Generator<readonly [string, Value]> {
  for (const entry of base) if (!changes.has(entry[0])) yield entry
  for (const [key, value] of changes) if (value !== undefined) yield [key, value]
}

/**
 * The map with these values, or without a key where the value is undefined. A change copies about √n of n entries, and
 * all of them once in √n changes, when they become the next base.
 */
export function withChanges<Value>(
  { base, changes }: LayeredMap<Value>,
  news: Iterable<readonly [string, Value | undefined]>,
): LayeredMap<Value> {
  const after = { base, changes: new Map([...changes, ...news]) }
  return after.changes.size ** 2 <= base.size ? after : layered(new Map(entriesOf(after)))
}
