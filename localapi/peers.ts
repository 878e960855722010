import type { Address, Prefix } from '../lib/address.ts'

/** Another node of the tailnet, as tailscaled knows it. */
export type Peer = {
  /** Its full name with a trailing dot. */
  readonly name: string
  readonly addresses: readonly Address[]
  /** What tailscaled sends to it beside its own addresses: Tailscale Services, subnet routes, 4via6 sites. */
  readonly allowed: readonly Prefix[]
}

/** By stable node ID. */
export type Peers = ReadonlyMap<string, Peer>

/** A name that MagicDNS answers in addition to the nodes' own, such as that of a Tailscale Service. */
export type ExtraRecord = { readonly name: string; readonly address: Address }
