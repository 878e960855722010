import { type Address, bitsOf, type Family } from '../../lib/address.ts'
import { valueAt } from '../../lib/layered-map.ts'
import { textIndex, type TextIndex } from '../../lib/text-index.ts'
import type { Peer, Peers } from '../../localapi/peers.ts'
import { nameKey } from './names.ts'

/** Indexes peers. If several match, the one with the smallest ID is found. */
export type PeerIndex = {
  readonly named: (name: string) => Peer | undefined
  readonly withAddress: (address: Address) => Peer | undefined
  /** The peer that routes exactly this address in addition to its own, as hosts of a Tailscale Service do. */
  readonly hostOf: (address: Address) => Peer | undefined
  /** The peer with the narrowest route that contains this address; default routes do not count. */
  readonly routerOf: (address: Address) => Peer | undefined
}

const names = textIndex<Peer>(({ name }) => [nameKey(name)])
const addresses = textIndex<Peer>((peer) => peer.addresses.map(({ text }) => text))
/** By the bits that all addresses of a network begin with. */
const networksOf = (family: Family): TextIndex<Peer> =>
  textIndex(({ allowed }) => allowed.filter((prefix) => prefix.family === family).map(bitsOf))
const networks = { 4: networksOf(4), 6: networksOf(6) }

/** The index of these peers. Each part of it is built on first use. */
export function indexOf(peers: Peers): PeerIndex {
  const find = (index: TextIndex<Peer>, text: string): Peer | undefined => {
    const [smallest] = index.keys(peers, text).toSorted()
    return smallest === undefined ? undefined : valueAt(peers, smallest)
  }
  return {
    named: (name) => find(names, nameKey(name)),
    withAddress: ({ text }) => find(addresses, text),
    hostOf: (address) => find(networks[address.family], bitsOf(address)),
    routerOf: (address) => {
      const index = networks[address.family]
      const bits = bitsOf(address)
      for (const length of index.lengths(peers)) {
        const router = length > 0 ? find(index, bits.slice(0, length)) : undefined
        if (router !== undefined) return router
      }
      return undefined
    },
  }
}
