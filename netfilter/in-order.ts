/** The keys and the values of a map, in its order. */
export type InOrder = { readonly keys: readonly string[]; readonly values: readonly string[] }

const known = new WeakMap<ReadonlyMap<string, string>, InOrder>()

/** Gives them once for each map: an iterator would make an object for every element, each time that maps are compared. */
export function inOrder(map: ReadonlyMap<string, string>): InOrder {
  let lists = known.get(map)
  if (lists === undefined) {
    lists = { keys: [...map.keys()], values: [...map.values()] }
    known.set(map, lists)
  }
  return lists
}
