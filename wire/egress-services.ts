import type { Rejection } from './rejection.ts'
import type { TailnetTarget } from './tailnet-target.ts'

export type EgressPort = {
  readonly protocol: 'tcp' | 'udp'
  /** The Pod's port, to which the cluster sends. */
  readonly matchPort: number
  /** The target's port. */
  readonly targetPort: number
}

/** One service of ProxyGroup egress (operator.md §4.4). */
export type EgressService = {
  readonly name: string
  readonly target: TailnetTarget
  /** The target as it was configured, which the status repeats. */
  readonly tailnetTarget: { readonly ip: string; readonly fqdn: string }
  readonly ports: readonly EgressPort[]
  /** The service's health URL, by which it is seen whether this Pod is still routed to; empty for none. */
  readonly healthCheckEndpoint: string
}

/** What the mounted file `egress-services` says. */
export type EgressServices = {
  /** By name. A rejected service that was good before is as it was then. */
  readonly services: ReadonlyMap<string, EgressService>
  readonly rejections: readonly Rejection[]
}
