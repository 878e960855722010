import * as z from 'zod/mini'
import { optional } from '../lib/json.ts'
import type { LocalApi } from './client.ts'
import { decode, keepOf } from './schema.ts'
import { type Keep, sieve } from './sieve.ts'

/** How a packet gets to a node: straight, by another node as a relay, or by a relay of a DERP region. */
export type Path = 'direct' | 'peer-relay' | 'derp'

/** A node of the tailnet, and how tailscaled reaches it now. */
export type PeerPath = {
  /** Its full name with a trailing dot. */
  readonly name: string
  /** Those of the node itself. */
  readonly addresses: readonly string[]
  /** The prefixes that it routes as a subnet router or exit node. */
  readonly routes: readonly string[]
  /** `none`: nothing was sent to it lately. */
  readonly path: Path | 'none'
  /** The peer's or the relay's address and port, or the code of a DERP region; undefined for `none`. */
  readonly via: string | undefined
  /** When both last agreed on keys, which they do every two minutes while something is sent. */
  readonly lastHandshake: Date | undefined
}

const text = optional(z.string())
const texts = optional(z.array(z.string()))
/** tailscaled itself treats a peer as idle when it has sent it nothing for 45 s. */
const peerSchema = z.object({
  DNSName: z.string(),
  TailscaleIPs: texts,
  PrimaryRoutes: texts,
  Active: optional(z.boolean()),
  CurAddr: text,
  PeerRelay: text,
  Relay: text,
  LastHandshake: text,
})
const tailnetSchema = optional(z.object({ MagicDNSEnabled: optional(z.boolean()) }))

/** Far more than one peer has. */
const maxBytes = 1024 * 1024

/** The wanted peers, and whether the tailnet has MagicDNS; undefined if tailscaled does not say. */
export type Paths = { readonly peers: readonly PeerPath[]; readonly magicDns: boolean | undefined }

/**
 * How tailscaled reaches those of its peers that are wanted. With 10,000 peers its answer has 10 MB, which is read in
 * pieces.
 * @throws CulvertError `localapi` when it does not answer as documented within `timeoutMs`.
 */
export async function getPaths(
  api: Pick<LocalApi, 'stream'>,
  isWanted: (peer: PeerPath) => boolean,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Paths> {
  const peers: PeerPath[] = []
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  let failure: unknown
  const take = (one: string): void => {
    try {
      const peer = peerOf(decode(one, peerSchema))
      if (isWanted(peer)) peers.push(peer)
    } catch (error) {
      failure ??= error
    }
  }
  const keep = new Map<string, Keep>([
    ['CurrentTailnet', keepOf(tailnetSchema)],
    ['Peer', { each: keepOf(peerSchema), take }],
  ])
  const { push, end } = sieve(keep, maxBytes)
  for await (const bytes of await api.stream('status', limit, timeoutMs)) push(bytes)
  const { CurrentTailnet } = decode(end(), z.object({ CurrentTailnet: tailnetSchema }))
  if (failure !== undefined) throw failure
  return { peers, magicDns: CurrentTailnet?.MagicDNSEnabled ?? undefined }
}

function peerOf(peer: z.infer<typeof peerSchema>): PeerPath {
  const { DNSName: name, TailscaleIPs, PrimaryRoutes, LastHandshake } = peer
  const at = new Date(LastHandshake ?? Number.NaN)
  return {
    name,
    addresses: TailscaleIPs ?? [],
    routes: PrimaryRoutes ?? [],
    ...pathOf(peer),
    lastHandshake: at.getTime() > 0 ? at : undefined,
  }
}

/** The direct path is used if there is one, then that of a peer relay. */
function pathOf({ Active, CurAddr, PeerRelay, Relay }: z.infer<typeof peerSchema>): Pick<PeerPath, 'path' | 'via'> {
  if (Active !== true) return { path: 'none', via: undefined }
  if (CurAddr) return { path: 'direct', via: CurAddr }
  if (PeerRelay) return { path: 'peer-relay', via: PeerRelay }
  return Relay ? { path: 'derp', via: Relay } : { path: 'none', via: undefined }
}
