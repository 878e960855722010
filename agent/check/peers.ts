import { forwardedTo, type Looking } from './looking.ts'

/** A peer that matters here: a target, or one with which packets are exchanged. */
export type Peer = {
  readonly name: string
  readonly address: string
  /** How its packets come now, as tailscaled says; `none` if none do. */
  readonly way: 'direct' | 'peer relay' | 'DERP' | 'none'
  readonly region: string
}

/** Targets first, then those with which packets are exchanged. */
export async function peersOf(looking: Looking): Promise<readonly Peer[]> {
  const { peers } = await looking.tailnet()
  const targets = new Set(forwardedTo(looking, 'cluster'))
  const isTarget = ({ addresses }: { readonly addresses: readonly string[] }): boolean =>
    addresses.some((one) => targets.has(one))
  return peers
    .filter((peer) => isTarget(peer) || peer.active)
    .toSorted((one, other) => Number(isTarget(other)) - Number(isTarget(one)))
    .flatMap(({ name, addresses, direct, peerRelay, region, active }): Peer[] => {
      const [address] = addresses
      if (address === undefined) return []
      const way = direct !== '' ? 'direct' : peerRelay !== '' ? 'peer relay' : active && region !== '' ? 'DERP' : 'none'
      return [{ name: name || address, address, way, region }]
    })
}
