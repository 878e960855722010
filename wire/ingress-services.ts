import type { Address, Family } from '../lib/address.ts'
import type { Rejection } from './rejection.ts'

/** Where traffic to one address of a Tailscale Service goes. */
export type IngressMapping = {
  /** Undefined where the Tailscale Service has no address of the family. */
  readonly address: Address | undefined
  readonly backend: Address
  /** Both as they were configured, which the status repeats byte for byte. */
  readonly configured: { readonly TailscaleServiceIP: string; readonly ClusterIP: string }
}

/** One Tailscale Service of ProxyGroup ingress (operator.md §4.5). */
export type IngressService = {
  /** With its `svc:`. */
  readonly name: string
  readonly mappings: Readonly<Partial<Record<Family, IngressMapping>>>
}

/** What the mounted file `ingress-config.json` says. */
export type IngressServices = {
  /** By name. A rejected service that was good before is as it was then. */
  readonly services: ReadonlyMap<string, IngressService>
  readonly rejections: readonly Rejection[]
}
