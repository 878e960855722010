import type { LayeredMap } from './layered-map.ts'
import { memoOf } from './memo.ts'

/** An index of maps: gives the keys of all values with a text. */
export type TextIndex<Value> = {
  readonly keys: (map: LayeredMap<Value>, text: string) => readonly string[]
  /** The lengths of the texts, longest first; may have lengths that no longer occur. */
  readonly lengths: (map: LayeredMap<Value>) => readonly number[]
}

/** The index by the texts that `textsOf` gives of a value. Each layer is read once, on first use. */
export function textIndex<Value>(textsOf: (value: Value) => readonly string[]): TextIndex<Value> {
  const layerOf = memoOf((layer: ReadonlyMap<string, Value | undefined>) => {
    const keys = new Map<string, string[]>()
    for (const [key, value] of layer) {
      for (const text of value === undefined ? [] : textsOf(value)) {
        const known = keys.get(text)
        if (known === undefined) keys.set(text, [key])
        else known.push(key)
      }
    }
    return { keys, lengths: new Set([...keys.keys()].map(({ length }) => length)) }
  })
  return {
    keys: ({ base, changes }, text) => {
      const below = layerOf(base).keys.get(text) ?? []
      const above = layerOf(changes).keys.get(text) ?? []
      return [...below.filter((key) => !changes.has(key)), ...above]
    },
    lengths: ({ base, changes }) =>
      [...layerOf(base).lengths.union(layerOf(changes).lengths)].toSorted((one, other) => other - one),
  }
}
