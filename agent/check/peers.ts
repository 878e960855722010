import { getPaths, type PeerPath, type Paths } from '../../localapi/paths.ts'
import { forwardedTo, type Looking } from './looking.ts'

/** A peer that matters here: a target, or one with which packets are exchanged. */
export type Peer = Pick<PeerPath, 'path' | 'via'> & { readonly name: string; readonly address: string }

export const withoutLastDot = (name: string): string => name.replace(/\.$/, '')

/** How long tailscaled may take to say all of it, in ms. */
const statusMs = 10_000

/** Of all nodes, targets, those with which packets are exchanged, and those with routes. */
export async function pathsThatMatter(looking: Looking): Promise<Paths> {
  const isTarget = targetsOf(looking)
  const matters = (peer: PeerPath): boolean => isTarget(peer) || peer.path !== 'none' || peer.routes.length > 0
  return getPaths(looking.api, matters, looking.signal, statusMs)
}

function targetsOf(looking: Looking): (peer: PeerPath) => boolean {
  const targets = new Set(forwardedTo(looking, 'cluster'))
  return ({ addresses }) => addresses.some((one) => targets.has(one))
}

/** Targets first, then those with which packets are exchanged. */
export async function peersOf(looking: Looking): Promise<readonly Peer[]> {
  const { peers } = await looking.tailnet()
  const isTarget = targetsOf(looking)
  return peers
    .filter((peer) => isTarget(peer) || peer.path !== 'none')
    .toSorted((one, other) => Number(isTarget(other)) - Number(isTarget(one)))
    .flatMap(({ name, addresses, path, via }): Peer[] => {
      const [address] = addresses
      return address === undefined ? [] : [{ name: withoutLastDot(name) || address, address, path, via }]
    })
}
