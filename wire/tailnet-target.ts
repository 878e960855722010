import type { Address } from '../lib/address.ts'

/** Where in the tailnet egress leads: an address, or the full name of a peer, of a Tailscale Service or a 4via6 name. */
export type TailnetTarget =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'name'; readonly name: string }
