import * as z from 'zod/mini'
import { optional } from '../lib/json.ts'
import type { LocalApi } from './client.ts'
import { decode } from './schema.ts'

/** A node of the tailnet, and the way by which its packets come. */
export type PeerPath = {
  /** Without the last dot. */
  readonly name: string
  readonly addresses: readonly string[]
  /** Whether packets were exchanged in the last minutes. */
  readonly active: boolean
  /** The address and port of the direct way; empty if there is none. */
  readonly direct: string
  readonly peerRelay: string
  /** The DERP region in which it can be reached. */
  readonly region: string
  /** The subnet routes that it has. */
  readonly routes: readonly string[]
}

export type Tailnet = { readonly peers: readonly PeerPath[]; readonly magicDns: boolean | undefined }

const text = optional(z.string())
const texts = optional(z.array(z.string()))
const statusSchema = z.object({
  CurrentTailnet: optional(z.object({ MagicDNSEnabled: optional(z.boolean()) })),
  Peer: optional(
    z.record(
      z.string(),
      z.object({
        DNSName: text,
        TailscaleIPs: texts,
        PrimaryRoutes: texts,
        CurAddr: text,
        PeerRelay: text,
        Relay: text,
        Active: optional(z.boolean()),
      }),
    ),
  ),
})

/**
 * Asks tailscaled for the peers and the ways to them.
 * @throws CulvertError `localapi` when it does not answer as documented
 */
export async function getTailnet(api: Pick<LocalApi, 'get'>, signal: AbortSignal): Promise<Tailnet> {
  const { CurrentTailnet, Peer } = decode(await api.get('status', signal), statusSchema)
  return {
    magicDns: CurrentTailnet?.MagicDNSEnabled ?? undefined,
    peers: Object.values(Peer ?? {}).map((peer) => ({
      name: (peer.DNSName ?? '').replace(/\.$/, ''),
      addresses: peer.TailscaleIPs ?? [],
      active: peer.Active ?? false,
      direct: peer.CurAddr ?? '',
      peerRelay: peer.PeerRelay ?? '',
      region: peer.Relay ?? '',
      routes: peer.PrimaryRoutes ?? [],
    })),
  }
}

const prefsSchema = z.object({ ControlURL: text, RouteAll: optional(z.boolean()) })

/** The control server that tailscaled uses, and whether it uses routes of peers. Rejects as `getTailnet` does. */
export async function getControl(api: Pick<LocalApi, 'get'>, signal: AbortSignal) {
  const { ControlURL, RouteAll } = decode(await api.get('prefs', signal), prefsSchema)
  return { url: ControlURL ?? '', acceptsRoutes: RouteAll ?? false }
}
