import type { Family } from '../lib/address.ts'
import { memoOf } from '../lib/memo.ts'
import { type Entry, mapOf } from './in-order.ts'
import type { ForwardingTable } from './table.ts'

/** An ingress by how many backends its addresses have: each address with its only one, and those with several. */
export type Spread = {
  readonly single: ReadonlyMap<string, string>
  /** New flows to `address` go to each of `backends` equally often. */
  readonly several: readonly { readonly address: string; readonly backends: readonly string[] }[]
}

/** Computed once per ingress, since a large one is rendered and compared often. */
export const spreadOf = memoOf((ingress: ForwardingTable['ingress'][Family]): Spread => {
  const entries: Entry[] = []
  const several: Spread['several'][number][] = []
  for (const [address, backends] of ingress) {
    const [backend] = backends
    if (backends.length > 1) several.push({ address, backends })
    else if (backend !== undefined) entries.push(entryOf(address, backend, backends))
  }
  return { single: mapOf(entries), several }
})

/** The entry of these backends, reused so that unchanged tables share entries and compare quickly. */
const lastEntries = new WeakMap<readonly string[], Entry>()

function entryOf(address: string, backend: string, backends: readonly string[]): Entry {
  const last = lastEntries.get(backends)
  if (last?.key === address) return last
  const entry = { key: address, value: backend }
  lastEntries.set(backends, entry)
  return entry
}
