import type { Address, AddressPort } from '../../lib/address.ts'

/** How tailscaled keeps its state. In memory, a restarted tailscaled is a new node. */
export type State = { readonly kind: 'memory' } | { readonly kind: 'disk'; readonly directory: string }

/** What the environment asks for, validated: the agent reads it nowhere else. */
export type Settings = {
  /** Prefix of system paths, for tests; else empty. */
  readonly root: string
  readonly userspace: boolean
  readonly state: State
  /** Path of tailscaled's LocalAPI socket. */
  readonly socket: string
  readonly socks5Server: string
  readonly httpProxyListen: string
  readonly debugAddress: string
  readonly tailscaledExtraArgs: readonly string[]
  readonly up: UpSettings
  /** L3 ingress: at most one target of each family; empty when the mode is off. */
  readonly targets: readonly Address[]
  readonly bootTimeoutMs: number
  readonly health: boolean
  readonly listen: AddressPort
  readonly pod: { readonly ipv4: string; readonly ipv6: string }
  /** `auto` when unset. */
  readonly firewallMode: 'auto' | 'nftables'
  /** Path of the agent's own socket. */
  readonly statusSocket: string
  readonly terminationLog: string
  readonly shortWaits: boolean
}

/** What `tailscale up` is told. */
export type UpSettings = {
  readonly authKey: string
  readonly clientId: string
  readonly clientSecret: string
  readonly idToken: string
  readonly audience: string
  readonly hostname: string
  readonly acceptDns: boolean
  readonly extraArgs: readonly string[]
}
