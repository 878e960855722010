import { isDeepStrictEqual } from 'node:util'
import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import { valueAt } from '../../lib/layered-map.ts'
import type { Log } from '../../lib/log.ts'
import { sleep } from '../../lib/timers.ts'
import { watchBus } from '../../localapi/bus.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { LocalApiError } from '../../localapi/error.ts'
import type { Notification } from '../../localapi/notify.ts'
import { changePeers, noPeers, type Peers } from '../../localapi/peers.ts'
import { needsPeers } from '../targets/needs-peers.ts'
import type { Waits } from '../world/timings.ts'
import { isUp, type Store, type Tailnet } from '../world/world.ts'

/** The longest pause between two watches in ms: without one, nothing is known of the node. */
const longestPause = 5000
/** A watch that says more that cannot be read is not complained of any more. */
const maxComplaints = 10

type Parts = { readonly store: Store; readonly api: LocalApi; readonly log: Log; readonly waits: Waits }

/**
 * Keeps World.tailnet at what tailscaled last said, until `signal` aborts. When the watch ends it is opened again, and
 * now and then without that: the first message puts right what a lost one would leave wrong.
 */
export async function followBus({ store, api, log, waits }: Parts, signal: AbortSignal): Promise<void> {
  const set = (change: (tailnet: Tailnet) => Tailnet): void =>
    store.update((world) => {
      const tailnet = change(world.tailnet)
      return tailnet === world.tailnet ? world : { ...world, tailnet }
    })
  const { settings } = store.world
  const wanted = {
    peers: needsPeers(settings),
    held: (key: string) => valueAt(store.world.tailnet.peers ?? noPeers, key),
    certDomains: settings.serveConfigFile !== undefined,
  }
  /** A daemon that does not tell its peers when it is asked tells of them as they change: until then there are none. */
  const withSomePeers = (tailnet: Tailnet): Tailnet =>
    wanted.peers && tailnet.peers === undefined ? { ...tailnet, peers: noPeers } : tailnet
  let said: string | undefined

  /** Gives why the watch ended. */
  const watchOnce = async (end: AbortSignal): Promise<string> => {
    let complaints = 0
    const rejected = (error: unknown): void => {
      complaints += 1
      if (complaints <= maxComplaints) log(`bus: ${describe(error)}`)
      if (error instanceof LocalApiError && !error.silent) set(withSomePeers)
    }
    try {
      for await (const notification of watchBus(api, wanted, end, rejected)) {
        // The daemon repeats a refusal each time that it tries again.
        if (notification.error !== undefined && notification.error !== said) log(`tailscaled: ${notification.error}`)
        said = notification.error ?? said
        set((tailnet) => applyNotification(tailnet, notification))
      }
      return 'the stream ended'
    } catch (error) {
      return describe(error)
    }
  }

  const longest = Math.min(longestPause, waits.retryCap)
  const pause = backoff(waits.socketPoll, longest)
  while (!signal.aborted) {
    if (!isUp(store.world)) {
      await store.until(isUp, signal).catch(() => {})
      pause.reset()
    }
    const renewal = AbortSignal.timeout(waits.reread)
    const began = performance.now()
    const reason = await watchOnce(AbortSignal.any([signal, renewal]))
    if (renewal.aborted) continue
    set(({ state: _state, loginUrl: _loginUrl, online: _online, ...rest }) => ({
      ...rest,
      watching: false,
      health: new Map(),
    }))
    // One that ends too soon, again and again, must not keep the daemon busy.
    if (performance.now() - began > longest) pause.reset()
    if (pause.attempts() === 3 && !signal.aborted) log(`bus: ${reason}; still trying`)
    await sleep(pause.next(), signal)
  }
}

/** The tailnet after one message, the same value if that changes nothing: what the message does not name stays. */
export function applyNotification(tailnet: Tailnet, notification: Notification): Tailnet {
  const {
    state,
    version,
    self,
    noSnat,
    acceptsRoutes,
    health,
    browseToUrl,
    initial,
    online,
    hosted,
    peers,
    records,
    certDomains,
  } = notification
  const next: { -readonly [Key in keyof Tailnet]: Tailnet[Key] } = {
    ...tailnet,
    watching: true,
    ...(state !== undefined && { state }),
    ...(version !== undefined && { version }),
    ...(self !== undefined && { self }),
    ...(noSnat !== undefined && { noSnat }),
    ...(acceptsRoutes !== undefined && { acceptsRoutes }),
    ...(health !== undefined && { health }),
    ...(browseToUrl !== undefined && { loginUrl: browseToUrl }),
    ...(online !== undefined && { online }),
    ...(hosted !== undefined && !isDeepStrictEqual(hosted, tailnet.hosted) && { hosted }),
    ...(peers !== undefined && { peers: peers.reduce<Peers>(changePeers, tailnet.peers ?? noPeers) }),
    ...(records !== undefined && !isDeepStrictEqual(records, tailnet.records) && { records }),
    ...(certDomains !== undefined && !isDeepStrictEqual(certDomains, tailnet.certDomains) && { certDomains }),
  }
  if (next.state === 'Running') delete next.loginUrl
  // Only then is there none: a daemon that starts does not know its node yet either.
  if (initial && self === undefined && state === 'NeedsLogin') {
    delete next.self
    delete next.peers
    delete next.records
    delete next.certDomains
  }
  return next.peers === tailnet.peers && isDeepStrictEqual(next, tailnet) ? tailnet : next
}
