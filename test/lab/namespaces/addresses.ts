export type NetworkName = 'wan' | 'cluster'

export type Address = { readonly v4: string | undefined; readonly v6: string | undefined }

/** The bed's two networks. `wan` stands for the internet, `cluster` for the Pods of a cluster behind a NAT. */
export const networks = {
  wan: { v4: '10.99.0.', v6: 'fd99::' },
  cluster: { v4: '10.98.0.', v6: 'fd98::' },
} as const satisfies Record<NetworkName, { v4: string; v6: string }>

/**
 * The bed's own address on a network, which is the hosts' gateway. On `wan` control server, relay and name server
 * listen there.
 */
export function gateway(network: NetworkName): { v4: string; v6: string } {
  return { v4: `${networks[network].v4}1`, v6: `${networks[network].v6}1` }
}

/** First and last number of a host on its network. */
const first = 10
const most = 200

/** The address of the `index`-th host (from 0) of a network. Families can be left out. */
export function addressOf(network: NetworkName, index: number, families: { v4: boolean; v6: boolean }): Address {
  if (index >= most) throw new RangeError(`a network holds ${most} hosts`)
  const { v4, v6 } = networks[network]
  return {
    v4: families.v4 ? `${v4}${first + index}` : undefined,
    v6: families.v6 ? `${v6}${first + index}` : undefined,
  }
}

/** The URLs of the control server. */
export const controlUrls = {
  v4: `http://${gateway('wan').v4}:8080`,
  v6: `http://[${gateway('wan').v6}]:8080`,
} as const

export const controlUrl = controlUrls.v4
