import { isDeepStrictEqual } from 'node:util'
import type { Notification } from '../../localapi/notify.ts'
import { changePeers, noPeers, type Peers } from '../../localapi/peers.ts'
import type { Store } from '../world/store.ts'
import type { Tailnet } from '../world/world.ts'

/** Keeps World.tailnet, from tailscaled's bus and status. */
export type TailnetKeeper = {
  /** Fields that the message lacks stay. */
  readonly apply: (notification: Notification) => void
  /** The bus is no longer watched: state and health are unknown, rules and flows continue with what is known. */
  readonly busEnded: () => void
  /** A daemon that does not list its peers reports changes of them: until then there are none. */
  readonly peersUntold: () => void
  /** Why tailscaled did not answer; undefined if it did. */
  readonly setSilent: (why: string | undefined) => void
}

export function tailnetKeeper(store: Store): TailnetKeeper {
  const write = store.writer('tailnet')
  return {
    apply: (notification) => write((tailnet) => applyNotification(tailnet, notification)),
    busEnded: () =>
      write(({ state: _state, loginUrl: _loginUrl, online: _online, ...rest }) => ({
        ...rest,
        watching: false,
        health: new Map(),
      })),
    peersUntold: () => write((tailnet) => (tailnet.peers === undefined ? { ...tailnet, peers: noPeers } : tailnet)),
    setSilent: (silent) =>
      write((now) => {
        if (now.silent === silent) return now
        const { silent: _before, ...rest } = now
        return { ...rest, ...(silent !== undefined && { silent }) }
      }),
  }
}

/** The tailnet after one message; the same value if nothing changes. Fields that the message lacks stay. */
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
    hasNodeKey,
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
    ...(hasNodeKey !== undefined && { hasNodeKey }),
    ...(hosted !== undefined && !isDeepStrictEqual(hosted, tailnet.hosted) && { hosted }),
    ...(peers !== undefined && { peers: peers.reduce<Peers>(changePeers, tailnet.peers ?? noPeers) }),
    ...(records !== undefined && !isDeepStrictEqual(records, tailnet.records) && { records }),
    ...(certDomains !== undefined && !isDeepStrictEqual(certDomains, tailnet.certDomains) && { certDomains }),
  }
  if (next.state === 'Running') delete next.loginUrl
  // Only then there is no node: a daemon that is starting does not know its node yet either.
  if (initial && self === undefined && state === 'NeedsLogin') {
    delete next.self
    delete next.hasNodeKey
    delete next.peers
    delete next.records
    delete next.certDomains
  }
  return next.peers === tailnet.peers && isDeepStrictEqual(next, tailnet) ? tailnet : next
}
