import { lines } from '../lib/lines.ts'
import type { LocalApi } from './client.ts'
import { type Notification, parseNotify } from './notify.ts'

/**
 * Initial state, prefs, health and status, without netmaps and without peers
 * (bits 1, 2, 7, 13 and 14 of localapi-apiproxy-recorder.md §A.3).
 */
const mask = 2 + 4 + 128 + 8192 + 16_384

/** A single line can be a netmap of many MB; more than this is no netmap. */
const maxLineBytes = 256 * 1024 * 1024

/**
 * Watches tailscaled's bus once: yields each notification until the stream ends or `signal` aborts. The first one
 * holds the whole state. A line that cannot be read goes to `rejected`; the stream goes on.
 * @throws CulvertError `localapi` when the watch cannot be opened.
 */
export async function* watchBus(
  api: LocalApi,
  signal: AbortSignal,
  rejected: (error: unknown) => void,
): AsyncGenerator<Notification> {
  for await (const line of lines(await api.stream(`watch-ipn-bus?mask=${mask}`, signal), maxLineBytes)) {
    let notification: Notification
    try {
      notification = parseNotify(line)
    } catch (error) {
      rejected(error)
      continue
    }
    yield notification
  }
}
