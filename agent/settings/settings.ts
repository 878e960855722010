import type { InCluster } from '../../kube/service-account.ts'
import type { Address, AddressPort, Family } from '../../lib/address.ts'
import type { PortRange } from '../../netfilter/port-ranges.ts'
import type { PortKey } from '../../netfilter/table.ts'
import type { TailnetTarget } from '../../wire/tailnet-target.ts'
import type { UdpGso } from './udp-gso.ts'

/**
 * How tailscaled keeps its state: in memory, so that a restarted tailscaled is a new node; in a directory; or in the
 * state Secret `name`, with `directory` for everything else.
 */
export type State =
  | { readonly kind: 'memory' }
  | { readonly kind: 'disk'; readonly directory: string }
  | { readonly kind: 'secret'; readonly name: string; readonly directory: string }

/** The validated settings; the agent reads the environment nowhere else. */
export type Settings = {
  /** Prefix of system paths, for tests; otherwise empty. */
  readonly root: string
  readonly userspace: boolean
  /** The name of tailscaled's device; unused in userspace mode. */
  readonly tunnelDevice: string
  readonly state: State
  /** Path of tailscaled's LocalAPI socket. */
  readonly socket: string
  readonly socks5Server: string
  readonly httpProxyListen: string
  /** Address and port of tailscaled's debug server; empty for none. */
  readonly debugAddress: string
  readonly tailscaledExtraArgs: readonly string[]
  readonly up: UpSettings
  /** Two-step mode "auth once": `tailscale up` only when tailscaled asks for a login, then `tailscale set`. */
  readonly authOnce: boolean
  /** One-step mode: where tailscaled's config files are mounted. Undefined: `tailscale up` logs in. */
  readonly configDirectory: string | undefined
  /** L3 ingress: the targets, or their name in DNS; neither when the mode is off. */
  readonly targets: readonly Address[]
  readonly targetName: string | undefined
  /** The ports that lead to them, sorted within a protocol; undefined: everything does. */
  readonly targetPorts: readonly PortRange[] | undefined
  /** The version of the PROXY protocol by which backends learn the client's address; undefined: none. */
  readonly proxyProtocol: 1 | 2 | undefined
  /** L3 egress: the target in the tailnet; undefined when the mode is off. */
  readonly tailnetTarget: TailnetTarget | undefined
  /**
   * Cluster traffic via ingress: families of the Pod's addresses that are redirected to the node's own; empty when off.
   */
  readonly viaIngress: readonly Family[]
  /**
   * Ports of the Pod that no mode of egress redirects, since the agent and tailscaled use them, and the environment that
   * tailscaled gets for it.
   */
  readonly exempt: readonly PortKey[]
  readonly portEnv: Readonly<Record<string, string>>
  /** ProxyGroup egress: where `egress-services` and `hep-pings` are mounted. */
  readonly egressServicesDirectory: string | undefined
  /** ProxyGroup ingress: the path of `ingress-config.json`. */
  readonly ingressServicesFile: string | undefined
  /** The path of the serve config; undefined when the mode is off. */
  readonly serveConfigFile: string | undefined
  /** Whether the agent advertises the Tailscale Services that it serves; otherwise something else decides. */
  readonly advertisesServices: boolean
  /** Certificates in a group: this Pod is the issuer or a reader; undefined if each Pod manages its own. */
  readonly certShare: 'rw' | 'ro' | undefined
  /** Whether the certificate of the node’s own name is requested before anybody connects, and its failures are kept. */
  readonly requestsCertificate: boolean
  /** Whether the ACME account is shared too, which tailscaled can do from 1.103 on. */
  readonly sharesAcmeAccount: boolean
  /** Address families that the kernel must forward, for targets and subnet routes; none in userspace. */
  readonly forwardedFamilies: readonly Family[]
  /** Families of the routes in TS_EXTRA_ARGS, for which forwarding is switched on if possible. */
  readonly advertisedFamilies: readonly Family[]
  /** Whether to forward every family that the kernel supports: at least one is needed. */
  readonly forwardsAny: boolean
  readonly bootTimeoutMs: number
  readonly endpoints: Endpoints
  /** Whether to ask tailscaled once to optimise UDP forwarding on the node's network devices. */
  readonly forwardingOptimizations: boolean
  /** The Pod's own addresses, name and UID; empty if not in the environment. */
  readonly pod: { readonly ipv4: string; readonly ipv6: string; readonly name: string; readonly uid: string }
  /** Where the Kubernetes API is; only used for the state Secret. */
  readonly cluster: InCluster
  /** Whether this is a Pod: otherwise the agent writes none of its own keys to the Secret. */
  readonly inKubernetes: boolean
  readonly udpGso: UdpGso
  /** `auto` when unset, and if nothing is forwarded. */
  readonly firewallMode: 'auto' | 'nftables' | 'iptables'
  /** For tests: netfilter is kept in memory, and no programs are run for it. `ipv6`: it supports IPv6 too. */
  readonly fakeNetfilter: undefined | { readonly ipv6: boolean }
  /** Path of the agent's own socket. */
  readonly statusSocket: string
  readonly shortWaits: boolean
}

/** The HTTP endpoints on TCP. */
export type Endpoints = {
  /** The listener; undefined if nothing needs it. */
  readonly listen: AddressPort | undefined
  /** What it serves in addition to the probes. */
  readonly health: boolean
  readonly metrics: boolean
  /** The older listener for health alone; undefined if not set. */
  readonly healthListen: AddressPort | undefined
}

/** The arguments of `tailscale up`. */
export type UpSettings = {
  readonly authKey: string
  readonly clientId: string
  readonly clientSecret: string
  readonly idToken: string
  readonly audience: string
  readonly hostname: string
  /** Subnet routes as given; empty withdraws them, undefined leaves them alone. */
  readonly routes: string | undefined
  readonly acceptDns: boolean
  readonly extraArgs: readonly string[]
}
