import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import { valueAt } from '../../lib/layered-map.ts'
import { watchBus } from '../../localapi/bus.ts'
import { LocalApiError } from '../../localapi/error.ts'
import { noPeers } from '../../localapi/peers.ts'
import { serves } from '../serve/wanted.ts'
import { needsPeers } from '../targets/needs-peers.ts'
import type { Context } from '../world/context.ts'
import { isUp } from '../world/world.ts'
import type { TailnetKeeper } from './tailnet.ts'
import { events } from './log-events.ts'

/** The longest pause between two watches in ms: without one, the state of the node is unknown. */
const longestPause = 5000
/** Unreadable messages of one watch that are logged, at most. */
const maxComplaints = 10

type Parts = Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock' | 'signal'>

/**
 * Passes tailscaled's bus messages to `tailnet`, until `signal` aborts. The watch is reopened when it ends, and from
 * time to time in any case: its first message corrects what a lost one would leave wrong.
 */
export async function followBus(
  { store, api, log, timings, clock, signal }: Parts,
  tailnet: TailnetKeeper,
): Promise<void> {
  const { settings } = store.world
  const wanted = {
    peers: needsPeers(settings),
    held: (key: string) => valueAt(store.world.tailnet.peers ?? noPeers, key),
    certDomains: serves(settings),
  }
  let said: string | undefined

  /** Gives why the watch ended. */
  const watchOnce = async (end: AbortSignal): Promise<string> => {
    let complaints = 0
    const rejected = (error: unknown): void => {
      complaints += 1
      if (complaints <= maxComplaints) log(events.unreadable({ problem: error }))
      if (wanted.peers && error instanceof LocalApiError && !error.silent) tailnet.peersUntold()
    }
    try {
      for await (const notification of watchBus(api, wanted, end, rejected)) {
        // The daemon repeats a refusal each time it retries.
        if (notification.error !== undefined && notification.error !== said)
          log(events.refused({ message: notification.error }))
        said = notification.error ?? said
        tailnet.apply(notification)
      }
      return 'the stream ended'
    } catch (error) {
      return describe(error)
    }
  }

  const longest = Math.min(longestPause, timings.retryCap)
  const pause = backoff(timings.rewatch, longest)
  while (!signal.aborted) {
    if (!isUp(store.world)) {
      await store.until(isUp, signal).catch(() => {})
      pause.reset()
    }
    const renewal = clock.timeout(timings.reread)
    const began = clock.now()
    const reason = await watchOnce(AbortSignal.any([signal, renewal]))
    if (renewal.aborted) continue
    tailnet.busEnded()
    // A watch that keeps ending too soon must not keep the daemon busy.
    if (clock.now() - began > longest) pause.reset()
    if (pause.attempts() === 3 && !signal.aborted) log(events.busLost({ problem: reason }))
    await clock.sleep(pause.next(), signal)
  }
}
