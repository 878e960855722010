import { type Address, type Family, families } from '../lib/address.ts'

/** For each family, values by canonical address text. */
export type ByFamily<T> = Readonly<Record<Family, T>>

/**
 * What the kernel is to forward, as a value: netfilter/nftables renders it and reads it back. Two equal tables render
 * to equal rules.
 */
export type ForwardingTable = {
  /** Own tailnet address → backend. A new flow from the tailnet to the key goes to the value. */
  readonly ingress: ByFamily<ReadonlyMap<string, string>>
  /** Whether backends see the Pod's address instead of the tailnet client's. */
  readonly masquerade: boolean
}

export const emptyTable: ForwardingTable = { ingress: { 4: new Map(), 6: new Map() }, masquerade: true }

/** A target that gets no rule, and why. */
export type Unreachable = { readonly target: Address; readonly reason: string }

/** One translation: flows to `own` are sent to `backend`. */
export type Translation = { readonly family: Family; readonly own: string; readonly backend: string }

export function* translations(table: ForwardingTable): Generator<Translation> {
  for (const family of families) {
    for (const [own, backend] of table.ingress[family]) yield { family, own, backend }
  }
}

/** The translations of `from` that `to` no longer has: their flows must end. */
export const removedTranslations = (from: ForwardingTable, to: ForwardingTable): Translation[] =>
  [...translations(from)].filter(({ family, own, backend }) => to.ingress[family].get(own) !== backend)
