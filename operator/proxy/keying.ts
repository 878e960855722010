import type { Flight } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import { allowance } from './allowance.ts'
import { type Held, keyDescription, keyNeed, type ReplicaSecrets } from './auth-key.ts'
import type { TailscaleApi } from '../api/api.ts'
import { type ReleaseOptions, releasing } from './release.ts'

/** What proxies need of Tailscale's API. */
export type Tailnet = Pick<TailscaleApi, 'mintKey'> & ReleaseOptions['tailnet']

export type KeyingOptions = ReleaseOptions & { readonly tailnet: Tailnet; readonly clock: Clock }

/** A replica whose config may need an auth key. */
export type Keyed = {
  readonly parent: KubeObject
  readonly replicas: number
  readonly tags: readonly string[]
  /** As the cache has them. */
  readonly cached: ReplicaSecrets
  /** As they are. */
  readonly present: (signal: AbortSignal) => Promise<ReplicaSecrets>
  /** Writes the config; without a key once the device has joined. */
  readonly write: (held: Held | undefined, flight: Flight) => Promise<void>
}

/** A key that is not used within this time is made anew, so that no old one lies around. */
const expirySeconds = 24 * 3600

/**
 * Gives what writes the config of a replica, with an auth key while it needs one. A key is made just before it is
 * written, after a look at the Secrets themselves, since the cache may be behind. Gives milliseconds after which the
 * replica has to be looked at again.
 */
export function keying(options: KeyingOptions) {
  const { tailnet, clock } = options
  // Whether a key is over is said by the Secret, which its proxy may write: that must not bring keys without end.
  const [first, reissues] = [allowance(clock), allowance(clock)]
  const release = releasing(options)

  const mint = async ({ parent, tags }: Keyed, signal: AbortSignal): Promise<Held> => {
    const wanted = { tags, description: keyDescription(parent), expirySeconds }
    const { key, id, expires } = await tailnet.mintKey(wanted, signal)
    const now = clock.date()
    // A key that seems to be over at once, as with another clock, would be followed by another without end.
    const isSaid = expires !== undefined && expires > now
    return { key, id, expires: isSaid ? expires : new Date(now.getTime() + expirySeconds * 1000) }
  }

  return async (keyed: Keyed, flight: Flight): Promise<number | undefined> => {
    const { parent, replicas, cached, present, write } = keyed
    const now = clock.date()
    let found = cached
    if (keyNeed(found, now).need === 'mint') found = await present(flight.signal)
    const need = keyNeed(found, now)
    if (need.need !== 'mint') {
      const held = need.need === 'keep' ? need.held : undefined
      await write(held, flight)
      return held?.expires === undefined ? undefined : Math.max(1000, held.expires.getTime() - now.getTime())
    }
    const { uid = '' } = parent.metadata
    const limit = need.isReissue ? reissues : first
    const wait = limit.wait(uid, need.isReissue ? replicas : 2 * replicas)
    if (wait > 0) return wait
    // It could otherwise keep its name from the new one.
    if (need.instead !== undefined && found.state !== undefined)
      await release.device(need.instead, { secret: found.state, object: parent }, flight.signal)
    const held = await mint(keyed, flight.signal)
    try {
      await write(held, flight)
    } catch (error) {
      // Nobody will use it. The run may be over already; then it expires by itself.
      if (held.id !== undefined) await tailnet.removeKey(held.id, flight.signal).catch(() => {})
      throw error
    }
    limit.count(uid)
    return expirySeconds * 1000
  }
}
