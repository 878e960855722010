import type { LocalApi } from '../../localapi/client.ts'
import { parseAuthUrl } from '../../localapi/status.ts'
import { sleep } from '../../lib/timers.ts'
import type { Waits } from '../waits.ts'
import type { Store } from '../world.ts'

/**
 * Finds out where a person must log in, as long as tailscaled needs a login, until `signal` aborts. The bus tells the
 * URL only to the client that asked for it, which is `tailscale up`: so it is read from the status instead.
 */
export async function followLoginUrl(
  { store, api, waits }: { store: Store; api: LocalApi; waits: Waits },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await store.until(({ tailnet }) => tailnet.state === 'NeedsLogin', signal)
      const loginUrl = parseAuthUrl(await api.get('status?peers=false', signal))
      const { tailnet } = store.world
      if (loginUrl !== undefined && tailnet.state === 'NeedsLogin' && tailnet.loginUrl !== loginUrl) {
        store.update((world) => ({ ...world, tailnet: { ...tailnet, loginUrl } }))
      }
    } catch {
      // Aborted, or the daemon is on its way down: the daemon machine and the bus say so.
    }
    await sleep(waits.loginPoll, signal)
  }
}
