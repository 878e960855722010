import { type Address, bitsOf, type Family } from '../../lib/address.ts'
import type { Peer, Peers } from '../../localapi/peers.ts'
import { nameKey } from './names.ts'

/** What peers are looked up by. Where several have the same, the one with the smallest ID is found. */
export type PeerIndex = {
  readonly named: (name: string) => Peer | undefined
  readonly withAddress: (address: Address) => Peer | undefined
  /** The peer that routes just this address beside its own, as the hosts of a Tailscale Service do. */
  readonly hostOf: (address: Address) => Peer | undefined
  /** The peer with the narrowest network beside its own addresses that has this address; a default route is none. */
  readonly routerOf: (address: Address) => Peer | undefined
}

const indexes = new WeakMap<Peers, PeerIndex>()

/** The index over these peers, which is made once. */
export function indexOf(peers: Peers): PeerIndex {
  const known = indexes.get(peers)
  if (known !== undefined) return known
  const index = makeIndex(peers)
  indexes.set(peers, index)
  return index
}

function makeIndex(peers: Peers): PeerIndex {
  const names = new Found()
  const addresses = new Found()
  /** Networks by the bits that their addresses begin with. */
  const networks: Record<Family, Found> = { 4: new Found(), 6: new Found() }
  const lengths: Record<Family, Set<number>> = { 4: new Set(), 6: new Set() }
  for (const [id, peer] of peers) {
    names.add(nameKey(peer.name), id, peer)
    for (const { text } of peer.addresses) addresses.add(text, id, peer)
    for (const prefix of peer.allowed) {
      networks[prefix.family].add(bitsOf(prefix), id, peer)
      lengths[prefix.family].add(prefix.bits)
    }
  }
  const narrowestFirst = (family: Family): number[] =>
    [...lengths[family]].filter((bits) => bits > 0).toSorted((one, other) => other - one)
  const order: Record<Family, number[]> = { 4: narrowestFirst(4), 6: narrowestFirst(6) }
  return {
    named: (name) => names.get(nameKey(name)),
    withAddress: ({ text }) => addresses.get(text),
    hostOf: (address) => networks[address.family].get(bitsOf(address)),
    routerOf: (address) => {
      const bits = bitsOf(address)
      for (const length of order[address.family]) {
        const peer = networks[address.family].get(bits.slice(0, length))
        if (peer !== undefined) return peer
      }
      return undefined
    },
  }
}

/** Peers by something; of those that have the same, the one with the smallest ID, in whatever order they come. */
class Found {
  readonly #peers = new Map<string, readonly [id: string, peer: Peer]>()

  add(key: string, id: string, peer: Peer): void {
    const known = this.#peers.get(key)
    if (known === undefined || id < known[0]) this.#peers.set(key, [id, peer])
  }

  get(key: string): Peer | undefined {
    return this.#peers.get(key)?.[1]
  }
}
