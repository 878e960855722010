import { backoff } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { LocalApi } from '../localapi/client.ts'

/**
 * Initial state (bit 1, so that there is a first message), no private keys (4), changes of peers (12), no netmaps where
 * these are sent apart (13).
 */
const mask = 2 + 16 + 4096 + 8192
const [firstPauseMs, longestPauseMs] = [100, 5000]

/**
 * Calls `changed` whenever tailscaled reports something, until `signal` aborts: what it is does not matter, since it is
 * asked then. Also when the report begins or breaks off.
 */
export async function followNetmap(
  {
    api,
    clock,
    signal,
  }: { readonly api: Pick<LocalApi, 'stream'>; readonly clock: Clock; readonly signal: AbortSignal },
  changed: (isConnected: boolean) => void,
): Promise<void> {
  const pause = backoff(firstPauseMs, longestPauseMs)
  while (!signal.aborted) {
    try {
      for await (const _ of await api.stream(`watch-ipn-bus?mask=${mask}`, signal)) {
        pause.reset()
        changed(true)
      }
    } catch {
      // It is opened again.
    }
    changed(false)
    await clock.sleep(pause.next(), signal)
  }
}
