import { type Address, gateway, networks } from '../namespaces/addresses.ts'

type Both = { readonly v4: string; readonly v6: string }

/** The addresses of the control plane: API server and name server of the cluster. */
export const controlPlaneAddress: Both = gateway('cluster')

export const apiPort = 6443

/** The URLs of the API server, also behind its Service within the cluster. */
export const apiUrl: Both = {
  v4: `https://${controlPlaneAddress.v4}:${apiPort}`,
  v6: `https://[${controlPlaneAddress.v6}]:${apiPort}`,
}

/** Which addresses Pods, Services and nodes of a cluster have. */
export type Addressing = {
  /** `false`: no IPv4. */
  readonly ipv4?: boolean | undefined
  /** `false`: no IPv6. */
  readonly ipv6?: boolean | undefined
  /** Those of Pods and Services are not those of other beds. */
  readonly isSecond?: boolean | undefined
}

/** The addresses of a cluster. */
export class Addresses {
  /** Those that it has; the main one first. */
  readonly families: readonly ('v4' | 'v6')[]
  readonly services: Both
  /** The first address of each range is the API server's Service. */
  readonly apiService: Both
  /** Of all Pods. */
  readonly pods: Both
  readonly #pods: string

  constructor({ ipv4 = true, ipv6 = true, isSecond = false }: Addressing = {}) {
    this.families = [...(ipv4 ? (['v4'] as const) : []), ...(ipv6 ? (['v6'] as const) : [])]
    const own = isSecond ? '97' : '96'
    this.services = { v4: `10.${own}.0.0/16`, v6: `fd${own}::/112` }
    this.apiService = { v4: `10.${own}.0.1`, v6: `fd${own}::1` }
    this.#pods = isSecond ? '89' : '88'
    this.pods = { v4: `10.${this.#pods}.0.0/16`, v6: `fd${this.#pods}::/48` }
  }

  /** Those of Pods of the `n`-th node, from 1. */
  podRange(n: number): Both {
    return { v4: `10.${this.#pods}.${n}.0/24`, v6: `fd${this.#pods}:0:0:${n}::/64` }
  }

  /** The address of the `n`-th node, from 1: below the hosts, above the gateway. */
  node(n: number): Address {
    const { v4, v6 } = networks.cluster
    const of = (family: 'v4' | 'v6', address: string) => (this.families.includes(family) ? address : undefined)
    return { v4: of('v4', `${v4}${n + 1}`), v6: of('v6', `${v6}${n + 1}`) }
  }

  /** Of two, those of the cluster's families. */
  only({ v4, v6 }: Address): readonly string[] {
    return this.families.map((family) => ({ v4, v6 })[family] ?? '')
  }
}

/** The range of Services, unless a cluster has others. */
export const { services } = new Addresses()

export function nodeName(n: number): string {
  return `node${n}`
}
