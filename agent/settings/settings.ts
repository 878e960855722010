import type { InCluster } from '../../kube/service-account.ts'
import type { Address, AddressPort, Family } from '../../lib/address.ts'
import type { PortKey } from '../../netfilter/table.ts'
import type { TailnetTarget } from '../../wire/tailnet-target.ts'

/**
 * How tailscaled keeps its state: in memory, where a restarted tailscaled is a new node, in a directory, or in the
 * state Secret `name`, with `directory` for what does not belong there.
 */
export type State =
  | { readonly kind: 'memory' }
  | { readonly kind: 'disk'; readonly directory: string }
  | { readonly kind: 'secret'; readonly name: string; readonly directory: string }

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
  /** Where tailscaled's debug server listens: an address and a port, or empty for none. */
  readonly debugAddress: string
  readonly tailscaledExtraArgs: readonly string[]
  readonly up: UpSettings
  /** Two-step mode "auth once": `tailscale up` only when tailscaled asks for a login, then `tailscale set`. */
  readonly authOnce: boolean
  /** One-step mode: where tailscaled's config files are mounted. Undefined: `tailscale up` logs in. */
  readonly configDirectory: string | undefined
  /** L3 ingress: at most one target of each family; empty when the mode is off. */
  readonly targets: readonly Address[]
  /** L3 egress: the target in the tailnet; undefined when the mode is off. */
  readonly tailnetTarget: TailnetTarget | undefined
  /** Cluster traffic via ingress: families of the Pod's addresses that lead to the node's own; empty when off. */
  readonly viaIngress: readonly Family[]
  /** Ports of the Pod that those two leave alone, and what tailscaled is told for that. */
  readonly exempt: readonly PortKey[]
  readonly portEnv: Readonly<Record<string, string>>
  /** ProxyGroup egress: where `egress-services` and `hep-pings` are mounted. */
  readonly egressServicesDirectory: string | undefined
  /** ProxyGroup ingress: the path of `ingress-config.json`. */
  readonly ingressServicesFile: string | undefined
  /** The path of the serve config; undefined when the mode is off. */
  readonly serveConfigFile: string | undefined
  /** Whether the agent advertises the Tailscale Services that it serves; otherwise somebody else says which. */
  readonly advertisesServices: boolean
  /** Certificates in a group: this Pod has them issued, or reads what another had; undefined where each is for itself. */
  readonly certShare: 'rw' | 'ro' | undefined
  /** Whether that account is to be shared as well, which tailscaled does from 1.103 on. */
  readonly sharesAcmeAccount: boolean
  /** Address families that the kernel must forward, for targets and subnet routes; none in userspace. */
  readonly forwardedFamilies: readonly Family[]
  /** Whether it is to forward all families that it carries: at least one is needed. */
  readonly forwardsAny: boolean
  readonly bootTimeoutMs: number
  readonly endpoints: Endpoints
  /** Ask tailscaled once to speed up the forwarding of UDP by the node's network devices. */
  readonly forwardingOptimizations: boolean
  /** The Pod's own addresses, its name and UID; empty where not env. */
  readonly pod: { readonly ipv4: string; readonly ipv6: string; readonly name: string; readonly uid: string }
  /** Where the Kubernetes API is; it is asked for the state Secret only. */
  readonly cluster: InCluster
  /** Whether the environment is that of a Pod: without it nothing of the agent's own is written to the Secret. */
  readonly inKubernetes: boolean
  /** `auto` when unset, and where nothing is forwarded. */
  readonly firewallMode: 'auto' | 'nftables' | 'iptables'
  /** For tests: netfilter is kept in memory, and no program is run for it. `ipv6`: it carries IPv6, too. */
  readonly fakeNetfilter: undefined | { readonly ipv6: boolean }
  /** Path of the agent's own socket. */
  readonly statusSocket: string
  readonly shortWaits: boolean
}

/** The HTTP endpoints of agent.md §10, on TCP. */
export type Endpoints = {
  /** The listener; undefined where nothing asks for it. */
  readonly listen: AddressPort | undefined
  /** What it serves beside the probes. */
  readonly health: boolean
  readonly metrics: boolean
  /** The older listener for health alone; undefined where it is not set. */
  readonly healthListen: AddressPort | undefined
}

/** What `tailscale up` is told. */
export type UpSettings = {
  readonly authKey: string
  readonly clientId: string
  readonly clientSecret: string
  readonly idToken: string
  readonly audience: string
  readonly hostname: string
  /** Subnet routes as given; empty withdraws, undefined says nothing. */
  readonly routes: string | undefined
  readonly acceptDns: boolean
  readonly extraArgs: readonly string[]
}
