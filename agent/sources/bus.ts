import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { sleep } from '../../lib/timers.ts'
import { watchBus } from '../../localapi/bus.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Notification } from '../../localapi/notify.ts'
import type { Waits } from '../waits.ts'
import type { Store, Tailnet } from '../world.ts'

/** Keeps World.tailnet at what tailscaled last said, and opens the watch again whenever it ends, until `signal` aborts. */
export async function followBus(
  { store, api, log, waits }: { store: Store; api: LocalApi; log: Log; waits: Waits },
  signal: AbortSignal,
): Promise<void> {
  const set = (change: (tailnet: Tailnet) => Tailnet): void =>
    store.update((world) => ({ ...world, tailnet: change(world.tailnet) }))
  const rejected = (error: unknown): void => log(`bus: rejected a message: ${describe(error)}`)
  const pause = backoff(waits.socketPoll, 5000)
  let said: string | undefined
  while (!signal.aborted) {
    try {
      // Without a socket there is nobody to ask, and nothing to complain of: the daemon machine is at it.
      await store.until(({ daemon }) => daemon.phase === 'login' || daemon.phase === 'running', signal)
      for await (const notification of watchBus(api, signal, rejected)) {
        pause.reset()
        // The daemon repeats a refusal each time that it tries again.
        if (notification.error !== undefined && notification.error !== said) log(`tailscaled: ${notification.error}`)
        said = notification.error ?? said
        set((tailnet) => applyNotification(tailnet, notification))
      }
    } catch (error) {
      if (!signal.aborted && pause.attempts() === 3) log(`bus: ${describe(error)}; still trying`)
    }
    set(({ state: _state, loginUrl: _loginUrl, silent: _silent, ...rest }) => ({
      ...rest,
      watching: false,
      health: new Map(),
    }))
    await sleep(pause.next(), signal)
  }
}

/** The tailnet after one message: what the message does not name stays. */
export function applyNotification(tailnet: Tailnet, notification: Notification): Tailnet {
  const { state, self, noSnat, health, browseToUrl } = notification
  const next: Tailnet = {
    ...tailnet,
    watching: true,
    ...(state !== undefined && { state }),
    ...(self !== undefined && { self }),
    ...(noSnat !== undefined && { noSnat }),
    ...(health !== undefined && { health }),
    ...(browseToUrl !== undefined && { loginUrl: browseToUrl }),
  }
  if (next.state !== 'Running' || next.loginUrl === undefined) return next
  const { loginUrl: _done, ...loggedIn } = next
  return loggedIn
}
