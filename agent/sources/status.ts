import { describe } from '../../lib/errors.ts'
import { sleep } from '../../lib/timers.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { parseStatus } from '../../localapi/notify.ts'
import type { Waits } from '../waits.ts'
import type { Store, Tailnet } from '../world.ts'
import { applyNotification } from './bus.ts'

/**
 * Asks tailscaled for its status again and again, until `signal` aborts, for what the bus does not tell: that the
 * daemon answers at all, and where a person must log in (the bus tells that only to the client that asked for the
 * login, which is `tailscale up`). It also puts right what a lost message would leave wrong.
 */
export async function followStatus(
  { store, api, waits }: { store: Store; api: LocalApi; waits: Waits },
  signal: AbortSignal,
): Promise<void> {
  const set = (tailnet: Tailnet): void => store.update((world) => ({ ...world, tailnet }))
  while (!signal.aborted) {
    const before = store.world.tailnet
    if (before.watching) {
      try {
        const notification = parseStatus(await api.get('status?peers=false', signal, waits.statusTimeout))
        const { silent: _answers, ...now } = store.world.tailnet
        // What the bus has said meanwhile is newer.
        set(store.world.tailnet === before ? applyNotification(now, notification) : now)
      } catch (error) {
        const now = store.world.tailnet
        if (now.watching && !signal.aborted) set({ ...now, silent: describe(error) })
      }
    }
    await sleep(store.world.tailnet.state === 'NeedsLogin' ? waits.loginPoll : waits.statusPoll, signal)
  }
}
