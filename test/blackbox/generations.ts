import type { Message, Node } from './localapi.ts'

/** How a generation of tailscaled speaks. */
export type Generation = {
  readonly version: string
  readonly cap: number
  /** Fields of each line of the bus that are null if it has no news of them. */
  readonly nulls: readonly string[]
  /** Bits of a mask that it refuses. */
  readonly refused: number
  /** The fields in which it sends a change of nodes to a watcher with this mask. */
  readonly news: (change: Message, net: Net, mask: number) => object
}

/** What a tailscaled knows of the tailnet. */
export type Net = {
  readonly state: number
  readonly self: Node | undefined
  readonly peers: readonly Node[]
  readonly certDomains: readonly string[]
}

export const unknownNet: Net = { state: 0, self: undefined, peers: [], certDomains: [] }

export function changeNet(net: Net, change: Message): Net {
  const { State, SelfChange, PeersChanged = [], PeersRemoved = [], PeersPatched = [], InitialStatus } = change
  const gone = new Set([...PeersRemoved, ...PeersChanged.map(({ ID }) => ID)])
  const kept = net.peers.filter(({ ID }) => !gone.has(ID))
  return {
    state: State ?? net.state,
    self: SelfChange ?? net.self,
    certDomains: InitialStatus?.CertDomains ?? net.certDomains,
    peers: [...kept, ...PeersChanged].map((peer) => ({
      ...peer,
      ...PeersPatched.find(({ NodeID }) => NodeID === peer.ID),
    })),
  }
}

/** A part of `ipn.NotifyWatchOpt`. */
const bits = { netmap: 8, rateLimit: 256, peerChanges: 4096 } as const

const everyLine = ['ErrMessage', 'LoginFinished', 'State', 'Prefs', 'Engine', 'BrowseToURL', 'DriveShares']

const netmap = ({ self, peers, certDomains }: Net): object => ({
  NetMap: { SelfNode: self, Peers: peers, DNS: { CertDomains: certDomains }, Domain: 'test.ts.net' },
})
/** A change that the control server sends as a whole map. */
const isWhole = ({ SelfChange, PeersChanged, PeersRemoved, InitialStatus }: Message): boolean =>
  [SelfChange, PeersChanged, PeersRemoved, InitialStatus].some((part) => part !== undefined)

/** Up to 1.96: every change in a whole netmap. */
const inNetmap = (change: Message, net: Net): object =>
  isWhole(change) || change.PeersPatched !== undefined ? netmap(net) : {}

/** 1.98: the node itself too, and of peers what is not kept, if wanted instead of a netmap. */
const inNetmapAndSelf = (change: Message, net: Net, mask: number): object => {
  if (isWhole(change)) return { ...netmap(net), SelfChange: net.self }
  if (change.PeersPatched === undefined) return {}
  return (mask & bits.peerChanges) === 0 ? netmap(net) : { PeerChanges: change.PeersPatched }
}

/** From 1.100 on: the node itself, and peers if wanted, each of them whole. */
const inNodes = (change: Message, net: Net, mask: number): object => {
  const changed = new Set(
    [change.PeersChanged?.map(({ ID }) => ID), change.PeersPatched?.map(({ NodeID }) => NodeID)].flat(),
  )
  const nodes = net.peers.filter(({ ID }) => changed.has(ID))
  return {
    ...((change.SelfChange ?? change.InitialStatus) && { SelfChange: net.self }),
    ...((mask & bits.peerChanges) !== 0 && {
      ...(nodes.length > 0 && { PeersChanged: nodes }),
      ...(change.PeersRemoved && { PeersRemoved: change.PeersRemoved }),
    }),
  }
}

const before = { nulls: [...everyLine, 'NetMap'], refused: 0 } as const
const since = { nulls: everyLine, refused: bits.netmap | bits.rateLimit } as const

/** The first and the last release of each way. */
export const generations: readonly Generation[] = [
  { version: '1.80.3', cap: 113, ...before, news: inNetmap },
  { version: '1.96.5', cap: 133, ...before, news: inNetmap },
  { version: '1.98.10', cap: 138, ...before, news: inNetmapAndSelf },
  { version: '1.100.0', cap: 141, ...before, news: inNodes },
  { version: '1.102.5', cap: 142, ...before, news: inNodes },
  { version: '1.104.7', cap: 148, ...since, news: inNodes },
]

/** A line of the bus. */
export const lineOf = ({ version, nulls }: Generation, fields: object): string =>
  JSON.stringify({ Version: version, ...Object.fromEntries(nulls.map((name) => [name, null])), ...fields })

/** The answer of `status`. */
export function statusOf(
  { version }: Generation,
  { state, self, peers, certDomains }: Net,
  withPeers: boolean,
): object {
  const status = ({ ID, StableID, Name, Addresses }: Node) => ({
    ID: StableID,
    NodeID: ID,
    DNSName: Name,
    TailscaleIPs: Addresses.map((prefix) => prefix.split('/')[0]),
    AllowedIPs: Addresses,
  })
  return {
    Version: version,
    BackendState: ['NoState', '', 'NeedsLogin', 'NeedsMachineAuth', 'Stopped', 'Starting', 'Running'][state],
    HaveNodeKey: self !== undefined,
    AuthURL: '',
    Self: self && status(self),
    CertDomains: certDomains,
    ExtraRecords: null,
    Peer: withPeers ? Object.fromEntries(peers.map((peer) => [`nodekey:${peer.ID}`, status(peer)])) : null,
  }
}
