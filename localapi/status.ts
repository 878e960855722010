import type { LocalApi } from './client.ts'
import { type Notification, parseStatus } from './notify.ts'

/**
 * Asks tailscaled for its status, without peers.
 * @throws CulvertError `localapi` when it does not answer as documented within `timeoutMs`.
 */
export const getStatus = async (api: LocalApi, signal: AbortSignal, timeoutMs: number): Promise<Notification> =>
  parseStatus(await api.get('status?peers=false', signal, timeoutMs))
