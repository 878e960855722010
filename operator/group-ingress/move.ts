import type { Clock } from '../../lib/clock.ts'
import { lasting } from '../../lib/lasting.ts'
import type { GroupView } from '../group/use.ts'
import { proxyGroups } from '../objects/resources.ts'
import { soonest } from '../proxy/each.ts'
import { departures } from './departures.ts'
import type { Hosts } from './record.ts'
import { isHostedBy, replicasOf } from './replicas.ts'
import { serves } from './standing.ts'

/** How far a move has come. */
export type Seen = {
  /** Whether the tailnet sends clients to the group to which it goes. */
  readonly isServed: boolean
  /** Whether a group exists. */
  readonly exists: (group: string) => boolean
  /** Whether no client is left with a group that is leaving. */
  readonly hasLeft: (group: string) => boolean
}

/**
 * The next step of a Tailscale Service on its way to the group `to`, from wherever it is: groups that host it go on
 * until this one does, then they only serve who still comes to them, and then nothing.
 */
export function nextHosts(before: Hosts | undefined, to: string, { isServed, exists, hasLeft }: Seen): Hosts {
  if (before === undefined) return { group: to, former: [], leaving: [] }
  const others = (names: readonly string[]): readonly string[] =>
    [...new Set(names)].filter((name) => name !== to && exists(name))
  const hosting = others([before.group, ...before.former])
  const leaving = others(before.leaving).filter((name) => !hosting.includes(name) && !hasLeft(name))
  return isServed
    ? { group: to, former: [], leaving: others([...leaving, ...hosting]) }
    : { group: to, former: hosting, leaving }
}

/**
 * How long a group must have hosted a Tailscale Service without a break before others withdraw it, in milliseconds:
 * replicas may only just read a config of before, and an agent that does not tell what the tailnet accepts needs time.
 */
export const arrivalMs = 5000

/** Gives what says in how many milliseconds one that is hosted has been so for long enough; undefined: it is not. */
export function arrivals(clock: Pick<Clock, 'now'>): (service: string, isHosted: boolean) => number | undefined {
  const arrived = lasting(clock)
  return (service, isHosted) => {
    const since = arrived(service, isHosted)
    return since === undefined ? undefined : Math.max(0, arrivalMs - since)
  }
}

/** Gives what says which groups host a Tailscale Service next, and in how many milliseconds that may change by itself. */
export function mover(clock: Pick<Clock, 'now'>) {
  const arriving = arrivals(clock)
  const departing = departures(clock)
  return (
    view: GroupView,
    service: string,
    before: Hosts | undefined,
  ): { readonly hosts: Hosts; readonly again: number | undefined } => {
    const { group, world, settings } = view
    const isHere = before?.group === group.name && before.former.length > 0 && isServedBy(view, service)
    const arrives = arriving(service, isHere)
    const waits = departing(service, before?.leaving ?? [], (name) =>
      isHostedBy(world, settings.namespace, name, service),
    )
    const hosts = nextHosts(before, group.name, {
      isServed: arrives === 0,
      exists: (name) => world.get(proxyGroups, name) !== undefined,
      hasLeft: (name) => waits.get(name) === 0,
    })
    return { hosts, again: soonest([arrives, ...waits.values()].filter((wait) => wait !== undefined && wait > 0)) }
  }
}

/** Whether some replica hosts it, and goes on with that: its config may be about to change. */
export const isServedBy = (view: GroupView, service: string): boolean =>
  replicasOf(view).some((replica) => replica.configured.has(service) && serves(replica, { service }))
