import { collectLines } from '../lib/lines.ts'
import type { LocalApi } from './client.ts'
import { type Notification, notifySieve, parseNotify } from './notify.ts'
import { getStatus } from './status.ts'

/**
 * Initial state, prefs and health (bits 1, 2 and 7 of localapi-apiproxy-recorder.md §A.3), no private keys (bit 4, which
 * daemons of 1.80 ask of those that may not write), and no netmaps (bit 13) where those are not all there is. It is one
 * for all generations of the protocol, because none is asked for a first netmap or status of the bus: each holds every
 * peer, which at 10,000 of them is 10 MB. `status` can leave the peers out.
 */
const mask = 2 + 4 + 16 + 128 + 8192

/** For the status that goes with the first message, in ms. */
const statusTimeout = 5000

/**
 * Watches tailscaled's bus once: yields each notification until the stream ends or `signal` aborts. The first one holds
 * the whole state. What cannot be read goes to `rejected`; the stream goes on.
 * @throws CulvertError `localapi` when the watch cannot be opened, or breaks.
 */
export async function* watchBus(
  api: LocalApi,
  signal: AbortSignal,
  rejected: (error: unknown) => void,
): AsyncGenerator<Notification> {
  const line = notifySieve()
  const end = (): Notification | undefined => {
    try {
      return parseNotify(line.end())
    } catch (error) {
      rejected(error)
      return undefined
    }
  }
  /** Asked once the watch stands, so that no change is lost in between. */
  const status = async (): Promise<Notification> => {
    try {
      return await getStatus(api, signal, statusTimeout)
    } catch (error) {
      rejected(error)
      return {}
    }
  }
  const stream = await api.stream(`watch-ipn-bus?mask=${mask}`, signal)
  let first = true
  for await (const notification of collectLines(stream, { push: line.push, end })) {
    if (notification === undefined) continue
    yield first && !notification.initial ? { ...notification, ...(await status()) } : notification
    first = false
  }
}
