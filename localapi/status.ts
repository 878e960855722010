import type { LocalApi } from './client.ts'
import { type Notification, notifyReader } from './notify.ts'
import type { WantedPeers } from './peers.ts'

export type Wanted = WantedPeers & {
  /** What becomes of the certificate domains, of which the bus does not tell. */
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
  // An InitialStatus of the bus says the same.
  const { push, end } = notifyReader(wanted)
  push(Buffer.from('{"InitialStatus":'))
  if (wanted.peers) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    for await (const bytes of await api.stream('status', limit, timeoutMs)) push(bytes)
  } else push(Buffer.from(await api.get('status?peers=false', signal, timeoutMs)))
  push(Buffer.from('}'))
  const status = end()
  // Unlike a message of the bus, which may hold a part, this is all there is.
  return { ...status, ...(status.peers && { peers: status.peers.map((change) => ({ ...change, whole: true })) }) }
}
