import type { Address } from '../../lib/address.ts'

/** The name of L3 ingress, as it was last resolved. */
export type Destination = {
  /** The addresses in use, in a stable order. */
  readonly addresses: readonly Address[]
  /**
   * Addresses that it no longer has, whose connections may go on for a while, and the time by the clock when they left.
   */
  readonly left: readonly { readonly address: Address; readonly since: number }[]
  /** Addresses of the last answer that are not used, with the reason. */
  readonly refused: readonly string[]
  /** When it last had addresses, and the full name that had them. */
  readonly resolved?: { readonly at: Date; readonly as: string }
  /** When it is resolved again. */
  readonly nextAt?: Date
  /** How many lookups failed, and why the last one did. */
  readonly failures: number
  readonly problem?: string
}

export const unresolved: Destination = { addresses: [], left: [], refused: [], failures: 0 }
