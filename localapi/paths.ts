import * as z from 'zod/mini'
import { optional } from '../lib/json.ts'
import type { LocalApi } from './client.ts'
import { decode, keepOf } from './schema.ts'
import { sieve } from './sieve.ts'

/** How tailscaled reaches a peer now. */
export type PeerPath = {
  /** Its full name with a trailing dot. */
  readonly name: string
  /** `none`: nothing was sent to it lately. */
  readonly path: 'direct' | 'peer-relay' | 'derp' | 'none'
  /** The peer's or the relay's address and port, or the code of a DERP region; undefined for `none`. */
  readonly via: string | undefined
  /** When both last agreed on keys, which they do every two minutes while something is sent. */
  readonly lastHandshake: Date | undefined
}

/** tailscaled itself treats a peer as idle when it has sent it nothing for 45 s. */
const peerSchema = z.object({
  DNSName: z.string(),
  Active: optional(z.boolean()),
  CurAddr: optional(z.string()),
  PeerRelay: optional(z.string()),
  Relay: optional(z.string()),
  LastHandshake: optional(z.string()),
})

/** Far more than one peer has. */
const maxBytes = 1024 * 1024

/**
 * How tailscaled reaches some of its peers. With 10,000 peers its answer has 10 MB, which is read in pieces.
 * @throws CulvertError `localapi` when it does not answer as documented within `timeoutMs`.
 */
export async function getPaths(
  api: Pick<LocalApi, 'stream'>,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<PeerPath[]> {
  const paths: PeerPath[] = []
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  let failure: unknown
  const take = (text: string): void => {
    try {
      const peer = decode(text, peerSchema)
      if (wanted.has(peer.DNSName)) paths.push(pathOf(peer))
    } catch (error) {
      failure ??= error
    }
  }
  const { push, end } = sieve(new Map([['Peer', { each: keepOf(peerSchema), take }]]), maxBytes)
  for await (const bytes of await api.stream('status', limit, timeoutMs)) push(bytes)
  decode(end(), z.object({}))
  if (failure !== undefined) throw failure
  return paths
}

function pathOf(peer: z.infer<typeof peerSchema>): PeerPath {
  const { DNSName: name, Active, CurAddr, PeerRelay, Relay, LastHandshake } = peer
  const at = new Date(LastHandshake ?? Number.NaN)
  const lastHandshake = at.getTime() > 0 ? at : undefined
  const known = (path: PeerPath['path'], via: string | undefined): PeerPath => ({ name, path, via, lastHandshake })
  if (Active !== true) return known('none', undefined)
  if (CurAddr) return known('direct', CurAddr)
  if (PeerRelay) return known('peer-relay', PeerRelay)
  return Relay ? known('derp', Relay) : known('none', undefined)
}
