import type { Address, Prefix } from '../../lib/address.ts'

/** The Pod's own network, which egress must not target. */
export type LocalNetwork = {
  /** Addresses of every device but the tunnel, each with its network. */
  readonly addresses: readonly { readonly address: Address; readonly onLink: Prefix; readonly device: string }[]
  /** Addresses of the Kubernetes API, and of the resolvers in /etc/resolv.conf. */
  readonly apiServer: readonly Address[]
  readonly resolvers: readonly Address[]
}
