import { parseAddress, parsePrefix } from '../../../lib/address.ts'
import { layered } from '../../../lib/layered-map.ts'
import type { ExtraRecord, Peer, Peers } from '../../../localapi/peers.ts'

export const aPeer = (name: string, addresses: readonly string[] = [], allowed: readonly string[] = []): Peer => ({
  name,
  addresses: addresses.map((text) => parseAddress(text)!),
  allowed: allowed.map((text) => parsePrefix(text)!),
})

/** By `n1`, `n2` and so on, in this order. */
export const peersOf = (...peers: readonly Peer[]): Peers =>
  layered(new Map(peers.map((peer, index) => [`n${index + 1}`, peer])))

export const aRecord = (name: string, address: string): ExtraRecord => ({ name, address: parseAddress(address)! })
