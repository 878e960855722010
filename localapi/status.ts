import * as z from 'zod/mini'
import type { LocalApi } from './client.ts'
import { type Notification, notifyReader } from './notify.ts'
import type { WantedPeers } from './peers.ts'
import { decode } from './schema.ts'

export type Wanted = WantedPeers & {
  /** Whether certificate domains are wanted, which the bus does not report. */
  readonly certDomains?: boolean
}

/**
 * Asks tailscaled for its status.
 * @throws CulvertError `localapi` when it does not answer as documented within `timeoutMs`.
 */
export async function getStatus(
  api: LocalApi,
  wanted: Wanted,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Notification> {
  // An InitialStatus of the bus has the same content.
  const { push, end } = notifyReader(wanted)
  push(Buffer.from('{"InitialStatus":'))
  if (wanted.peers) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    for await (const bytes of await api.stream('status', limit, timeoutMs)) push(bytes)
  } else push(Buffer.from(await api.get('status?peers=false', signal, timeoutMs)))
  push(Buffer.from('}'))
  const status = end()
  // Unlike a message of the bus, which may be partial, this has all peers.
  return { ...status, ...(status.peers && { peers: status.peers.map((change) => ({ ...change, whole: true })) }) }
}

const tailnetSchema = z.object({ MagicDNSSuffix: z.optional(z.string()) })

/**
 * The domain of the tailnet, such as `tail1234.ts.net`; empty while there is none.
 * @throws CulvertError `localapi` when tailscaled does not answer as documented.
 */
export const getTailnetDomain = async (api: LocalApi, signal: AbortSignal): Promise<string> =>
  decode(await api.get('status?peers=false', signal), tailnetSchema).MagicDNSSuffix ?? ''
