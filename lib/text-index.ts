import type { LayeredMap } from './layered-map.ts'
import { memoOf } from './memo.ts'

/** An index of such maps: gives the keys of all values that have a text. */
export type TextIndex<Value> = {
  readonly keys: (map: LayeredMap<Value>, text: string) => readonly string[]
  /** How long the texts are, the longest first; and maybe some that there are no more. */
  readonly lengths: (map: LayeredMap<Value>) => readonly number[]
}

/** The index by what `textsOf` gives of a value. Each layer is read when the index is first asked, and once. */
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
