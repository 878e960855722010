import { type Address, bitsOf, families, type Family } from '../../lib/address.ts'
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

/** The index over these peers. Each part of it is made when it is asked for, and once. */
export function indexOf(peers: Peers): PeerIndex {
  const known = indexes.get(peers)
  if (known !== undefined) return known
  const index = makeIndex(peers)
  indexes.set(peers, index)
  return index
}

function makeIndex(peers: Peers): PeerIndex {
  const names = lazy(() => idsBy(peers, ({ name }) => [nameKey(name)]))
  const addresses = lazy(() => idsBy(peers, (peer) => peer.addresses.map(({ text }) => text)))
  const networks = lazy(() => new Map(families.map((family) => [family, networksOf(peers, family)])))
  const peerOf = (id: string | undefined): Peer | undefined => (id === undefined ? undefined : peers.get(id))
  return {
    named: (name) => peerOf(names().get(nameKey(name))),
    withAddress: ({ text }) => peerOf(addresses().get(text)),
    hostOf: (address) => peerOf(networks().get(address.family)?.ids.get(bitsOf(address))),
    routerOf: (address) => {
      const { ids, lengths } = networks().get(address.family)!
      const bits = bitsOf(address)
      const length = lengths.find((count) => count > 0 && ids.has(bits.slice(0, count)))
      return length === undefined ? undefined : peerOf(ids.get(bits.slice(0, length)))
    },
  }
}

const lazy = <T>(make: () => T): (() => T) => {
  let value: T | undefined
  return () => (value ??= make())
}

/** Networks by the bits that all their addresses begin with, and how many bits there are, the most first. */
function networksOf(peers: Peers, family: Family) {
  const ids = idsBy(peers, ({ allowed }) => allowed.filter((prefix) => prefix.family === family).map(bitsOf))
  const lengths = [...new Set([...ids.keys()].map((bits) => bits.length))].toSorted((one, other) => other - one)
  return { ids, lengths }
}

/** The smallest ID of those that have each key. */
function idsBy(peers: Peers, keysOf: (peer: Peer) => readonly string[]): ReadonlyMap<string, string> {
  const ids = new Map<string, string>()
  for (const [id, peer] of peers) {
    for (const key of keysOf(peer)) {
      const known = ids.get(key)
      if (known === undefined || id < known) ids.set(key, id)
    }
  }
  return ids
}
