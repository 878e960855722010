import type { Clock } from '../../lib/clock.ts'

/** In milliseconds. */
export const times = {
  /** How long replicas may take to withdraw a Tailscale Service: kubelet may look at files once a minute. */
  withdrawal: 120_000,
  /** How long the tailnet may take to send clients elsewhere after that; as long goes on a replica that ends. */
  settled: 20_000,
} as const

/** Since when a group is to leave a Tailscale Service to others, and since when its replicas have withdrawn it. */
type Departure = { readonly begun: number; readonly withdrawn: number | undefined }

/**
 * For how many milliseconds a group still has to serve clients that have not gone elsewhere. With `settled` 0, there is
 * nowhere to go.
 */
function left({ begun, withdrawn }: Departure, now: number, settled: number): number {
  const longest = begun + times.withdrawal + settled - now
  return Math.max(0, withdrawn === undefined ? longest : Math.min(longest, withdrawn + settled - now))
}

/**
 * Tells how long groups that leave a Tailscale Service have to go on serving it. The times are only remembered here: a
 * process that starts anew waits anew, which takes longer and does no harm.
 */
export function departures(clock: Pick<Clock, 'now'>) {
  const known = new Map<string, ReadonlyMap<string, Departure>>()
  /**
   * Gives the milliseconds for each of `groups`; those that are not among them any more are forgotten. `isHost`: whether
   * replicas of a group may still be sent new clients.
   */
  return (
    service: string,
    groups: readonly string[],
    isHost: (group: string) => boolean,
    settled: number = times.settled,
  ): ReadonlyMap<string, number> => {
    const now = clock.now()
    const before = known.get(service)
    const after = new Map(
      groups.map((group) => {
        const { begun = now, withdrawn } = before?.get(group) ?? {}
        return [group, { begun, withdrawn: isHost(group) ? undefined : (withdrawn ?? now) }]
      }),
    )
    if (after.size === 0) known.delete(service)
    else known.set(service, after)
    return new Map([...after].map(([group, departure]) => [group, left(departure, now, settled)]))
  }
}
