import type { ElectionTimes } from '../../kube/controller/election/candidate.ts'
import type { CredentialFiles } from '../api/credentials.ts'

/** A proxy of the API server of its own, beside those of ProxyGroups. */
export type ApiServerProxy = {
  /** `auth`: whoever asks is impersonated; `noauth`: their own credentials count. */
  readonly mode: 'auth' | 'noauth'
  /** The name of its device in the tailnet. */
  readonly hostname: string
  readonly tags: readonly string[]
}

/** What the operator was started with, checked. */
export type OperatorSettings = {
  /** Where the proxies run. */
  readonly namespace: string
  /** The only ones whose objects it looks after, its own among them; empty: all. */
  readonly namespaces: readonly string[]
  readonly clusterDomain: string
  /** A URL without a slash at its end. */
  readonly loginServer: string
  readonly ingressClass: string
  /** LoadBalancers without a class are ours, too. */
  readonly isDefaultLoadBalancer: boolean
  readonly proxyImage: string
  /** Of the API server proxy, beside the agent. */
  readonly apiServerImage: string
  /** Undefined: none. */
  readonly apiServerProxy: ApiServerProxy | undefined
  /** Of recorders, beside the agent. */
  readonly recorderImage: string
  /** Which agent `proxyImage` holds. */
  readonly agent: 'culvert' | 'upstream'
  readonly proxyTags: readonly string[]
  /** `auto`, `nftables` or `iptables`; empty: as the agent does by itself. */
  readonly firewallMode: string
  /** Empty: none. */
  readonly priorityClass: string
  /** Empty: none. */
  readonly defaultProxyClass: string
  /** Who this operator is among the owners of Tailscale Services; empty: it finds out. */
  readonly operatorId: string
  /** The Secret with the state of the node that Tailscale's operator had; empty: none. */
  readonly operatorSecret: string
  /** The proxies of ingress groups share an ACME account, unless a group says otherwise. */
  readonly sharesAcmeAccount: boolean
  /** How many objects of a kind are worked on at once. */
  readonly concurrency: number
  /** Among how many leaders the objects with proxies of their own are divided. */
  readonly shards: number
}

/** What only the process needs. */
export type ProcessSettings = {
  /** Of the server for probes and metrics. */
  readonly port: number
  readonly isVerbose: boolean
  readonly election: ElectionTimes
  readonly credentials: CredentialFiles
}
