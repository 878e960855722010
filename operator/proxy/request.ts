import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { ParentType } from '../objects/names.ts'

/** A variable of the agent's environment. */
export type Variable = { readonly name: string; readonly value: string }

/** An option of which Tailscale's agent knows nothing. */
export type OwnOption = {
  /** What a user set, such as an annotation. */
  readonly setBy: string
  /** The proxies make no sense without it: with Tailscale's agent there are none then. */
  readonly isEssential?: boolean
}

/**
 * The proxies that a parent object is to have. A kind's `plan` makes this value from what the cluster holds, and the
 * engine makes all objects from it.
 */
export type ProxyRequest = {
  readonly type: ParentType
  /** Of the StatefulSet and of most others; left out: made from that of the parent. */
  readonly name?: string
  /** The service account of the Pods, which somebody else makes; left out: one of their own. */
  readonly account?: string
  /** A container that starts before the agent's, and ends after it. */
  readonly sidecar?: Readonly<Record<string, unknown>>
  /** TS_INTERNAL_APP */
  readonly app: string
  /** The tailnet hostname of each replica, in their order; its length is the number of replicas. */
  readonly hostnames: readonly string[]
  /** Empty: those of the operator's settings. */
  readonly tags: readonly string[]
  /** `kernel` forwards packets, and needs NET_ADMIN and a TUN device; `userspace` needs nothing. */
  readonly mode: 'kernel' | 'userspace'
  /** What the proxies do: the target and its options. */
  readonly variables: readonly Variable[]
  /** Further fields of the device config, as tailscaled reads them. */
  readonly device: {
    readonly AdvertiseRoutes?: readonly string[]
    readonly AppConnector?: { readonly Advertise: boolean }
    /** Left out: as the ProxyClass says. */
    readonly acceptRoutes?: true
  }
  /** As tailscaled reads it, with `${TS_CERT_DOMAIN}` for the node's name; undefined: none is mounted. */
  readonly serveConfig: Readonly<Record<string, unknown>> | undefined
  /** Name of the ProxyClass; undefined: none. */
  readonly proxyClass: string | undefined
  /** `ts_proxy_type` of the metrics; undefined: this kind has none. */
  readonly metrics: 'ingress_service' | 'ingress_resource' | 'connector' | undefined
  /** Options in `variables` and elsewhere that only Culvert's agent has. */
  readonly ownOptions: readonly OwnOption[]
  /** What only some kinds have; undefined: none of it. */
  readonly special?: Special
}

/** What the proxies of a kind have that others lack. */
export type Special = {
  readonly account: Account
  /** For the container beside the agent. */
  readonly volumes: readonly object[]
  /** Of the StatefulSet, each of which can be set only once. */
  readonly volumeClaims: readonly KubeObject[]
  /** What the object says of the StatefulSet, laid over a finished one. */
  readonly overlay: (statefulSet: KubeObject) => KubeObject
  /** To be told when the Pods of Tailscale's operator go. */
  readonly farewell: Event | undefined
}

/** The service account of Pods. */
export type Account = { readonly name: string; readonly annotations: Readonly<Record<string, string>> }

/** What is known of one replica, from its state Secret and its Pod. */
export type Device = {
  readonly ordinal: number
  /** Stable node ID; undefined until the node has joined. */
  readonly id: string | undefined
  /** Full name without the final dot; undefined until traffic is forwarded. */
  readonly fqdn: string | undefined
  readonly addresses: readonly string[]
  /** The name under which HTTPS is served; `no-https`: the tailnet has no certificates; undefined: not known yet. */
  readonly httpsEndpoint: string | undefined
  /** The state is that of the Pod that runs now. */
  readonly isCurrent: boolean
  /** The Pod is ready, and not being deleted. */
  readonly isReady: boolean
}
