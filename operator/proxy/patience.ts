import type { KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'

/** How long the deletion of an object may wait for Tailscale's API, in milliseconds. */
const patienceMs = 600_000
/** What has not failed for so long is forgotten. */
const quietMs = 3_600_000

/**
 * Gives what is asked each time that Tailscale's API does not remove what was made for an object, and tells whether the
 * object's deletion has waited for long enough. That counts from the first failure that this process has seen: times in
 * objects would let a clock that jumps, or an operator that was away, give up at once.
 */
export function deletionPatience(clock: Pick<Clock, 'now'>): (object: KubeObject) => boolean {
  const failing = new Map<string, { readonly first: number; readonly last: number }>()
  return ({ metadata: { uid = '', deletionTimestamp } }) => {
    if (deletionTimestamp === undefined) return false
    const now = clock.now()
    for (const [key, { last }] of failing) if (now - last > quietMs) failing.delete(key)
    const { first } = failing.get(uid) ?? { first: now }
    failing.set(uid, { first, last: now })
    return now - first >= patienceMs
  }
}
