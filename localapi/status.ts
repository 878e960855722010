import type { LocalApi } from './client.ts'
import { type Notification, notifyReader } from './notify.ts'

export type Wanted = {
  /** The peers and extra records: at 10,000 peers, an answer with them has 10 MB. */
  readonly peers: boolean
  /** What becomes of the certificate domains, of which the bus does not tell. */
  readonly certDomains?: boolean
}

/**
 * Asks tailscaled for its status.
 * @throws CulvertError `localapi` when it does not answer as documented (§A.5) within `timeoutMs`.
 */
export async function getStatus(
  api: LocalApi,
  { peers }: Wanted,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Notification> {
  // An InitialStatus of the bus says the same.
  const { push, end } = notifyReader({ peers })
  push(Buffer.from('{"InitialStatus":'))
  if (peers) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    for await (const bytes of await api.stream('status', limit, timeoutMs)) push(bytes)
  } else push(Buffer.from(await api.get('status?peers=false', signal, timeoutMs)))
  push(Buffer.from('}'))
  const status = end()
  // Unlike a message of the bus, which may hold a part, this is all there is.
  return { ...status, ...(status.peers && { peers: status.peers.map((change) => ({ ...change, whole: true })) }) }
}
