import type { Address, Prefix } from '../lib/address.ts'

/** Another node of the tailnet, as tailscaled knows it. */
export type Peer = {
  /** Its full name with a trailing dot. */
  readonly name: string
  readonly addresses: readonly Address[]
  /** What tailscaled sends to it beside its own addresses: Tailscale Services, subnet routes, 4via6 sites. */
  readonly allowed: readonly Prefix[]
  /** Its numeric ID as text, since it may be beyond 2⁵³; absent where it is not told. */
  readonly nodeId?: string
}

/** By stable node ID, or by name where none is told. */
export type Peers = ReadonlyMap<string, Peer>

/** A name that MagicDNS answers in addition to the nodes' own, such as that of a Tailscale Service. */
export type ExtraRecord = { readonly name: string; readonly address: Address }

/** What is said of the peers at once. */
export type PeersChange = {
  /** There are no others than those that are named. */
  readonly whole: boolean
  /** New ones, and those that are different now. */
  readonly changed: Peers
  /** Numeric IDs, as text, of those that are not there any more. */
  readonly removed: readonly string[]
}

/** The peers after a change, the same value if that makes none of what is held of them different. */
export function changePeers(before: Peers, { whole, changed, removed }: PeersChange): Peers {
  const gone = new Set(removed)
  const fresh = [...changed].filter(([key, peer]) => !isSame(before.get(key), peer))
  /** A peer without a number takes the place of the one with its name. */
  const renewed = new Set(fresh.flatMap(([, { name, nodeId }]) => (nodeId === undefined ? name : [])))
  const isLost = (key: string, { name, nodeId }: Peer): boolean =>
    (nodeId !== undefined && gone.has(nodeId)) || ((whole || renewed.has(name)) && !changed.has(key))
  // Most changes tell of what is not held, such as who is online, a hundred times a second.
  const lost = whole || gone.size + renewed.size > 0 ? [...before].filter(([key, peer]) => isLost(key, peer)) : []
  if (fresh.length + lost.length === 0) return before
  const after = new Map(before)
  for (const [key, peer] of fresh) after.set(key, peer)
  for (const [key] of lost) after.delete(key)
  return after
}

const isSame = (one: Peer | undefined, other: Peer): boolean =>
  one?.name === other.name &&
  one.nodeId === other.nodeId &&
  sameTexts(one.addresses, other.addresses) &&
  sameTexts(one.allowed, other.allowed)

const sameTexts = (some: readonly { readonly text: string }[], others: readonly { readonly text: string }[]): boolean =>
  some.length === others.length && some.every(({ text }, index) => text === others[index]?.text)
