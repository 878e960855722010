import { CulvertError } from '../../lib/errors.ts'
import type { NetworkName } from './namespaces/addresses.ts'

/** How a host's tailscaled is run and logged in. */
export type TailscaledSpec = {
  /** Further arguments for tailscaled. */
  readonly args?: readonly string[]
  /** Further environment for tailscaled, such as `PORT`. */
  readonly env?: Readonly<Record<string, string>>
  /** Further arguments for `tailscale up`; `false` starts the daemon without logging in. */
  readonly up?: readonly string[] | false
  /** The node's name; the host's when left out. */
  readonly hostname?: string
  /** The key to log in with; a new one when left out. */
  readonly authKey?: string
}

export type HostSpec = {
  readonly network: NetworkName
  /** Whether the bed runs a tailscaled in the host. */
  readonly tailscaled?: boolean | TailscaledSpec
  /** `false`: the host has no IPv4 address. */
  readonly ipv4?: boolean
  /** `false`: IPv6 is turned off in the host. */
  readonly ipv6?: boolean
  /** Bytes; 1500 when left out. */
  readonly mtu?: number
}

export type Topology = Readonly<Record<string, HostSpec>>

/** A tailnet client outside; in the cluster a host for the proxy, which brings its own tailscaled, and a backend. */
export const defaultTopology = {
  client: { network: 'wan', tailscaled: true },
  proxy: { network: 'cluster' },
  backend: { network: 'cluster' },
} as const satisfies Topology

/** Throws CulvertError `settings` for hosts that cannot exist beside a cluster of `nodes` nodes. */
export function checkTopology(hosts: Topology, nodes = 0): void {
  for (const [name, spec] of Object.entries(hosts)) {
    if (!/^[a-z][a-z0-9-]{0,10}$/.test(name)) {
      throw new CulvertError('settings', `"${name}" cannot name a host`, {
        remedy: 'Use at most 11 lower-case letters, digits and dashes, a letter first',
      })
    }
    if (nodes > 0 && /^node\d+$/.test(name)) {
      throw new CulvertError('settings', `host ${name} would be named like a node of the cluster`, {
        remedy: 'Give it another name',
      })
    }
    if (spec.ipv4 === false && spec.ipv6 === false) {
      throw new CulvertError('settings', `host ${name} would have no address`, {
        remedy: 'Leave it IPv4, IPv6 or both',
      })
    }
    if (spec.mtu !== undefined && (spec.mtu < 576 || spec.mtu > 1500 || (spec.ipv6 !== false && spec.mtu < 1280))) {
      throw new CulvertError('settings', `host ${name} cannot have an MTU of ${spec.mtu}`, {
        remedy: 'Use 1280 to 1500, or 576 to 1500 with ipv6 off',
      })
    }
  }
}
