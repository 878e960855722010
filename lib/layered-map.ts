/**
 * A large map as a value that little is changed of at a time: what has changed lately lies over a base that many
 * versions share. The same entries may lie otherwise in another version: only `entriesOf` compares the two.
 */
export type LayeredMap<Value> = {
  readonly base: ReadonlyMap<string, Value>
  /** What stands in place of the base's; undefined for what is not there any more. */
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
 * The map with other values, or undefined for what is taken away. Of n entries some √n are copied, and all once in some
 * √n changes, when they become the next base.
 */
export function withChanges<Value>(
  { base, changes }: LayeredMap<Value>,
  news: Iterable<readonly [string, Value | undefined]>,
): LayeredMap<Value> {
  const after = { base, changes: new Map([...changes, ...news]) }
  return after.changes.size ** 2 <= base.size ? after : layered(new Map(entriesOf(after)))
}
