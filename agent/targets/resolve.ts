import { type Address, byFamilyAndText, contains, inTailnet, parsePrefix } from '../../lib/address.ts'
import { memoOf } from '../../lib/memo.ts'
import type { ExtraRecord } from '../../localapi/peers.ts'
import type { TailnetTarget } from '../../wire/tailnet-target.ts'
import type { Tailnet } from '../world/world.ts'
import { nameKey, nameProblem, viaAddress } from './names.ts'
import { indexOf, type PeerIndex } from './peer-index.ts'

/**
 * Where a target is now: its addresses in a stable order, why they belong to the tailnet, and the peer (or one of
 * several) that they route to; or why it cannot be reached. Subnet routes and 4via6 sites are only reachable from a
 * node that accepts routes.
 */
export type Resolution =
  | {
      readonly addresses: readonly Address[]
      readonly through: 'peer' | 'service' | '4via6' | 'route'
      readonly owner?: string
    }
  | { readonly problem: string }

/**
 * Finds a target among the peers. A default route does not make an address part of the
 * tailnet.
 */
export function resolveTarget(target: TailnetTarget, tailnet: Pick<Tailnet, 'peers' | 'records'>): Resolution {
  if (tailnet.peers === undefined) return { problem: 'the nodes of the tailnet are not known yet' }
  const index = indexOf(tailnet.peers)
  return target.kind === 'address'
    ? resolveAddress(target.address, index)
    : resolveName(target.name, index, tailnet.records ?? [])
}

const siteRange = parsePrefix('fd7a:115c:a1e0:b1a::/64')!

function resolveAddress(address: Address, index: PeerIndex): Resolution {
  const own = index.withAddress(address)
  if (own !== undefined) return { addresses: [address], through: 'peer', owner: own.name }
  const router = index.routerOf(address)
  if (router === undefined) {
    return {
      problem: `${address.text} is no address of a node that this one may reach, and none has a route to it`,
    }
  }
  const isService = index.hostOf(address) !== undefined && inTailnet(address)
  const through = contains(siteRange, address) ? '4via6' : isService ? 'service' : 'route'
  return { addresses: [address], through, owner: router.name }
}

function resolveName(name: string, index: PeerIndex, records: readonly ExtraRecord[]): Resolution {
  const wrong = nameProblem(name)
  if (wrong !== undefined) return { problem: `${JSON.stringify(name)} is no full name: ${wrong}` }
  const peer = index.named(name)
  if (peer !== undefined) {
    return peer.addresses.length > 0
      ? { addresses: ordered(peer.addresses), through: 'peer', owner: peer.name }
      : { problem: `the node ${name} has no address` }
  }
  const service = recordsOf(records, name)
  const hosted = service.filter((address) => index.hostOf(address) ?? index.withAddress(address))
  if (hosted.length > 0) return { addresses: ordered(hosted), through: 'service' }
  const via = viaAddress(name)
  if (via !== undefined) {
    const router = index.routerOf(via)
    return router === undefined
      ? { problem: `${name} is ${via.text}, to which no node has a route that this one may use` }
      : { addresses: [via], through: '4via6', owner: router.name }
  }
  return {
    problem:
      service.length > 0
        ? `no node that this one may reach hosts ${name} (${service.map(({ text }) => text).join(', ')})`
        : `nothing is called ${name} in this tailnet, or its rules let this node reach nothing of that name`,
  }
}

const ordered = (addresses: readonly Address[]): Address[] =>
  [...new Map(addresses.map((address) => [address.text, address])).values()].toSorted(byFamilyAndText)

/** The addresses of the records with each name. */
const byName = memoOf((records: readonly ExtraRecord[]): ReadonlyMap<string, readonly Address[]> => {
  const groups = Map.groupBy(records, (record) => nameKey(record.name))
  return new Map([...groups].map(([key, group]) => [key, group.map(({ address }) => address)]))
})

const recordsOf = (records: readonly ExtraRecord[], name: string): readonly Address[] =>
  byName(records).get(nameKey(name)) ?? []
