import { memoOf } from '../lib/memo.ts'

/** The keys and the values of a map, in its order. */
export type InOrder = { readonly keys: readonly string[]; readonly values: readonly string[] }

/** Gives them once for each map: an iterator would make an object for every element, each time that maps are compared. */
export const inOrder = memoOf((map: ReadonlyMap<string, string>): InOrder => ({
  keys: [...map.keys()],
  values: [...map.values()],
}))
