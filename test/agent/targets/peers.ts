import { parseAddress, parsePrefix } from '../../../lib/address.ts'
import { layered } from '../../../lib/layered-map.ts'
import type { ExtraRecord, Peer, Peers } from '../../../localapi/peers.ts'

export const aPeer = (name: string, addresses: readonly string[] = [], allowed: readonly string[] = []): Peer => ({
  name,
  addresses: addresses.map((text) => parseAddress(text)!),
  allowed: allowed.map((text) => parsePrefix(text)!),
})

/** Peers with the keys `n1`, `n2` and so on. */
export const peersOf = (...peers: readonly Peer[]): Peers =>
  layered(new Map(peers.map((peer, index) => [`n${index + 1}`, peer])))

export const aRecord = (name: string, address: string): ExtraRecord => ({ name, address: parseAddress(address)! })
