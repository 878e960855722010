import * as z from 'zod/mini'
import { type Address, parseAddress, parseSingleAddressPrefix } from '../lib/address.ts'
import { optional } from '../lib/json.ts'
import { peerReader } from './peer-reader.ts'
import type { ExtraRecord, PeersChange, WantedPeers } from './peers.ts'
import { decode, keepOf, shorten } from './schema.ts'
import { type Keep, sieve } from './sieve.ts'

/** Names of `ipn.State` by number; Status has the name, Notify the number. */
export const backendStates = [
  'NoState',
  'InUseOtherUser',
  'NeedsLogin',
  'NeedsMachineAuth',
  'Stopped',
  'Starting',
  'Running',
] as const
export type BackendState = (typeof backendStates)[number]

export type Self = {
  readonly id: string
  readonly name: string
  readonly addresses: readonly Address[]
  /** Absent if the node has none: then it belongs to a user. */
  readonly tags?: readonly string[]
  /** When its key expires; absent if it does not. */
  readonly keyExpiry?: Date
}

/** The used part of a bus message; an absent field means unchanged. */
export type Notification = {
  readonly state?: BackendState
  /** The daemon's version, such as `1.102.5-t0123abcd`. */
  readonly version?: string
  /** Absent also if the daemon has no node: it is not logged in, or has not read its state yet. */
  readonly self?: Self
  /** Names of the Tailscale Services that the control server assigned to this node. */
  readonly hosted?: readonly string[]
  /** Set for a status: it is complete for the node itself. */
  readonly initial?: true
  readonly browseToUrl?: string
  readonly noSnat?: boolean
  /** Text of each health warning by its code. */
  readonly health?: ReadonlyMap<string, string>
  readonly error?: string
  /** Whether the node is connected to the control server. */
  readonly online?: boolean
  /** The node has a key, and so was logged in once; only a status has this. */
  readonly hasNodeKey?: true
  /** Whether subnet routes of peers are used. */
  readonly acceptsRoutes?: boolean
  /** Changes of the peers, in order. */
  readonly peers?: readonly PeersChange[]
  /** All extra records that are addresses. */
  readonly records?: readonly ExtraRecord[]
  /** Names that this node can have certificates for, its own first; none while HTTPS is off in the tailnet. */
  readonly certDomains?: readonly string[]
  /** It may lack changes of peers, records and certificate domains: `status` has them. */
  readonly partial?: true
}

/** An object with the addresses of each Tailscale Service by its name. Other types name none. */
const capMap = optional(z.object({ 'service-host': z.optional(z.unknown()) }))
const names = optional(z.array(z.string()))
const peerStatus = z.object({
  ID: z.string(),
  DNSName: z.string(),
  TailscaleIPs: names,
  Online: optional(z.boolean()),
  Tags: names,
  CapMap: capMap,
  KeyExpiry: optional(z.string()),
})
const node = z.object({
  StableID: z.string(),
  Name: z.string(),
  Addresses: names,
  Tags: names,
  CapMap: capMap,
  KeyExpiry: optional(z.string()),
})
const warning = z.object({ Title: optional(z.string()), Text: optional(z.string()) })
const statusSchema = z.object({
  BackendState: optional(z.string()),
  AuthURL: optional(z.string()),
  HaveNodeKey: optional(z.boolean()),
  Self: optional(peerStatus),
  CertDomains: names,
})
const notifySchema = z.object({
  Version: optional(z.string()),
  ErrMessage: optional(z.string()),
  State: optional(z.number()),
  Prefs: optional(z.object({ NoSNAT: optional(z.boolean()), RouteAll: optional(z.boolean()) })),
  SelfChange: optional(node),
  /** From daemons before 1.100, which do not always send SelfChange. */
  NetMap: optional(z.object({ SelfNode: optional(node), DNS: optional(z.object({ CertDomains: names })) })),
  InitialStatus: optional(statusSchema),
  BrowseToURL: optional(z.string()),
  Health: optional(z.object({ Warnings: optional(z.record(z.string(), warning)) })),
})

/**
 * Some hundred times the size of a message with all health warnings; everything else, such as peers, is removed before.
 */
const maxKeptBytes = 256 * 1024
/** Limit for one peer, which may have thousands of routes, on top of the rest of the message. */
const maxPeerBytes = 4 * 1024 * 1024

/** Takes the bytes of a message of possibly many MB, in any pieces. */
export type NotifyReader = {
  readonly push: (bytes: Buffer) => void
  /**
   * The content of the message; the next one may follow.
   * @throws CulvertError `localapi` when it is not JSON, or a used field has another shape than documented.
   */
  readonly end: () => Notification
}

/** Reads messages; their peers and extra records only if these are wanted. */
export function notifyReader({ peers, held = () => undefined }: WantedPeers): NotifyReader {
  const keep = keepOf(notifySchema)
  if (!peers) {
    const { push, end } = sieve(keep, maxKeptBytes)
    return { push, end: () => parseNotify(end()) }
  }
  const others = peerReader(held)
  const { push, end } = sieve(both(keep, others.keep), maxPeerBytes)
  return {
    push,
    end: () => {
      const read = others.end()
      const rest = end()
      const notification = parseNotify(rest)
      return { ...notification, ...read(rest, notification) }
    },
  }
}

/** Keeps what either of them keeps. */
function both(one: Keep | undefined, other: Keep): Keep {
  if (!(one instanceof Map) || !(other instanceof Map)) return other
  return new Map([...one, ...[...other].map(([name, keep]) => [name, both(one.get(name), keep)] as const)])
}

/**
 * Reads one line of `watch-ipn-bus`.
 * @throws CulvertError `localapi` when it is not JSON, or a used field has another shape than documented.
 */
export function parseNotify(line: string): Notification {
  const { Version, ErrMessage, State, Prefs, SelfChange, NetMap, InitialStatus, BrowseToURL, Health } = decode(
    line,
    notifySchema,
  )
  const state = backendStates[State ?? -1] ?? backendStates.find((name) => name === InitialStatus?.BackendState)
  const url = BrowseToURL ?? InitialStatus?.AuthURL
  const changed = SelfChange ?? NetMap?.SelfNode
  const self = changed ? selfOfNode(changed) : InitialStatus?.Self ? selfOfStatus(InitialStatus.Self) : undefined
  const known = self !== undefined && (self.id !== '' || self.addresses.length > 0)
  const capabilities = (changed ?? InitialStatus?.Self)?.CapMap
  // As long as there is no node, an empty list means nothing.
  const certDomains = NetMap?.DNS ?? (known && InitialStatus?.CertDomains !== undefined ? InitialStatus : undefined)
  return {
    ...(state !== undefined && { state }),
    ...(Version && { version: shorten(Version) }),
    ...(known && { self }),
    ...(capabilities && { hosted: hostedOf(capabilities) }),
    ...(certDomains && { certDomains: certDomains.CertDomains ?? [] }),
    ...(InitialStatus && { initial: true as const }),
    ...(InitialStatus?.HaveNodeKey === true && { hasNodeKey: true as const }),
    ...(SelfChange && !NetMap && !InitialStatus && { partial: true as const }),
    ...(url && { browseToUrl: url }),
    ...(Prefs && { noSnat: Prefs.NoSNAT ?? false, acceptsRoutes: Prefs.RouteAll ?? false }),
    ...(Health && { health: healthTexts(Health.Warnings ?? {}) }),
    ...(ErrMessage && { error: shorten(ErrMessage) }),
    ...(typeof InitialStatus?.Self?.Online === 'boolean' && { online: InitialStatus.Self.Online }),
  }
}

const present = (addresses: readonly (Address | undefined)[]): Address[] =>
  addresses.filter((address) => address !== undefined)

const tagsOf = ({ Tags }: { readonly Tags?: readonly string[] | null | undefined }): Pick<Self, 'tags'> =>
  Tags && Tags.length > 0 ? { tags: Tags } : {}

/** Go writes the year 1 for a key that does not expire. */
function expiryOf({ KeyExpiry }: { readonly KeyExpiry?: string | null | undefined }): Pick<Self, 'keyExpiry'> {
  const keyExpiry = new Date(KeyExpiry ?? Number.NaN)
  return keyExpiry.getTime() > 0 ? { keyExpiry } : {}
}

const selfOfNode = (value: z.infer<typeof node>): Self => ({
  id: value.StableID,
  name: value.Name,
  addresses: present((value.Addresses ?? []).map(parseSingleAddressPrefix)),
  ...tagsOf(value),
  ...expiryOf(value),
})

const selfOfStatus = (value: z.infer<typeof peerStatus>): Self => ({
  id: value.ID,
  name: value.DNSName,
  addresses: present((value.TailscaleIPs ?? []).map(parseAddress)),
  ...tagsOf(value),
  ...expiryOf(value),
})

function hostedOf(capabilities: NonNullable<z.infer<typeof capMap>>): string[] {
  const entries = capabilities['service-host']
  return (Array.isArray(entries) ? (entries as unknown[]) : []).flatMap((entry) =>
    typeof entry === 'object' && entry !== null ? Object.keys(entry) : [],
  )
}

const healthTexts = (warnings: Record<string, z.infer<typeof warning>>): Map<string, string> =>
  new Map(Object.entries(warnings).map(([code, { Title, Text }]) => [code, shorten(Text || Title || code)]))
