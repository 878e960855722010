import { gateway, networks } from '../namespaces/addresses.ts'

type Both = { readonly v4: string; readonly v6: string }

/** The addresses of the control plane: API server and name server of the cluster. */
export const controlPlaneAddress: Both = gateway('cluster')

export const apiPort = 6443

/** The URLs of the API server, also behind its Service within the cluster. */
export const apiUrl: Both = {
  v4: `https://${controlPlaneAddress.v4}:${apiPort}`,
  v6: `https://[${controlPlaneAddress.v6}]:${apiPort}`,
}

export const services: Both = { v4: '10.96.0.0/16', v6: 'fd96::/112' }
/** The first address of each range is the API server's Service. */
export const apiService: Both = { v4: '10.96.0.1', v6: 'fd96::1' }

/** The addresses of all Pods. */
export const podRanges: Both = { v4: '10.88.0.0/16', v6: 'fd88::/48' }

/** The addresses of the Pods of the `n`-th node, from 1. */
export function podRange(n: number): Both {
  return { v4: `10.88.${n}.0/24`, v6: `fd88:0:0:${n}::/64` }
}

export function nodeName(n: number): string {
  return `node${n}`
}

/** The address of the `n`-th node, from 1: below the hosts, above the gateway. */
export function nodeAddress(n: number): Both {
  const { v4, v6 } = networks.cluster
  return { v4: `${v4}${n + 1}`, v6: `${v6}${n + 1}` }
}
