import type { Address } from '../lib/address.ts'

/** Where a connection or session goes. */
export type Target = { readonly address: Address; readonly port: number }

/** The backends for a new connection or session, in the order in which they are to be tried. */
export type Choose = () => readonly Target[]

/**
 * All targets at a port, at random, so that each gets an equal share. Those with IPv4 come first: a backend with both
 * families is listed twice, and clusters without IPv6 are the more common ones. `random` is in [0, 1).
 */
export function inTurn(targets: readonly Address[], port: number, random: () => number): readonly Target[] {
  const ranked = targets.map((address) => ({ address, rank: address.family + random() }))
  return ranked.toSorted((one, other) => one.rank - other.rank).map(({ address }) => ({ address, port }))
}
