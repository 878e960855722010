import type { Address, Prefix } from '../lib/address.ts'
import { entriesOf, layered, type LayeredMap, valueAt, withChanges } from '../lib/layered-map.ts'
import { textIndex } from '../lib/text-index.ts'

/** Another node of the tailnet, as tailscaled knows it. */
export type Peer = {
  /** Its full name with a trailing dot. */
  readonly name: string
  readonly addresses: readonly Address[]
  /** What tailscaled routes to it in addition to its own addresses: Tailscale Services, subnet routes, 4via6 sites. */
  readonly allowed: readonly Prefix[]
  /** Its numeric ID as text, since it may exceed 2⁵³; absent if unknown. */
  readonly nodeId?: string
}

/** By stable node ID, or by name if that is unknown. */
export type Peers = LayeredMap<Peer>

export const noPeers: Peers = layered(new Map())

/** A name that MagicDNS answers in addition to the nodes' own, such as that of a Tailscale Service. */
export type ExtraRecord = { readonly name: string; readonly address: Address }

/** A change of the peers. */
export type PeersChange = {
  /** Whether peers that are not named are gone. */
  readonly whole: boolean
  /** New and changed peers. */
  readonly changed: ReadonlyMap<string, Peer>
  /** Numeric IDs, as text, of removed peers. */
  readonly removed: readonly string[]
}

/** Gives the known value of a peer, by its key. */
export type HeldPeer = (key: string) => Peer | undefined

/** Whether peers and extra records are wanted: at 10,000 peers, such a message has 10 MB. */
export type WantedPeers = { readonly peers: boolean; readonly held?: HeldPeer }

const byNumber = textIndex<Peer>(({ nodeId }) => (nodeId === undefined ? [] : [nodeId]))
const byName = textIndex<Peer>(({ name }) => [name])

/** The peers after a change; the same value if nothing that is kept of them has changed. */
export function changePeers(before: Peers, { whole, changed, removed }: PeersChange): Peers {
  // Most changes, up to a hundred per second, concern fields that are not kept, such as who is online.
  const fresh = changed
    .entries()
    .filter(([key, peer]) => !isSame(valueAt(before, key), peer))
    .toArray()
  /** A peer without a numeric ID replaces the one with its name. */
  const renewed = fresh.flatMap(([, { name, nodeId }]) => (nodeId === undefined ? byName.keys(before, name) : []))
  const replaced = whole ? entriesOf(before).map(([key]) => key) : renewed.values()
  const lost = new Set([
    ...replaced.filter((key) => !changed.has(key)),
    ...removed.flatMap((id) => byNumber.keys(before, id)),
  ])
  if (fresh.length + lost.size === 0) return before
  return withChanges(before, [...fresh, ...[...lost].map((key) => [key, undefined] as const)])
}

/** The known value of a peer, unless something has changed. */
export const asHeld = (held: Peer | undefined, told: Peer): Peer => (isSame(held, told) ? held : told)

const isSame = (one: Peer | undefined, other: Peer): one is Peer =>
  one?.name === other.name &&
  one.nodeId === other.nodeId &&
  sameTexts(one.addresses, other.addresses) &&
  sameTexts(one.allowed, other.allowed)

const sameTexts = (some: readonly { readonly text: string }[], others: readonly { readonly text: string }[]): boolean =>
  some.length === others.length && some.every(({ text }, index) => text === others[index]?.text)
