import type { Clock } from '../../lib/clock.ts'
import { lasting } from '../../lib/lasting.ts'
import { proxyGroups } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { type ClusterService, type Former, portKey } from './cluster-service.ts'
import { endpointsOf } from './slices.ts'

/**
 * How long a group must have served a Service before the one from which it came stops, in milliseconds: the nodes of the
 * cluster learn one by one where its clients are led.
 */
export const settledMs = 5000

/** Gives what says which place of a Service in another group is kept, and in how many milliseconds it need not be. */
export function leaver(world: Pick<World, 'get'>, clock: Pick<Clock, 'now'>) {
  const arrived = lasting(clock)
  /** `present`: as the Service is in the cluster; `to`: the group that it asks for. */
  return (present: ClusterService | undefined, to: string): { former?: Former; again?: number } => {
    if (present === undefined) return {}
    const { parent, group, key, ports, former } = present
    const led = endpointsOf(world, present)
    const id = `${parent.namespace}/${parent.name}`
    const isServing = led.length > 0 && led.every((uids) => uids.size > 0)
    if (group !== to) {
      arrived(id, false)
      // One that does not serve all of its addresses is left at once.
      if (former !== undefined && !isServing) return former.group === to ? {} : { former }
      return { former: { group, key, ports: new Map(ports.map((port) => [portKey(port), port.matchPort])) } }
    }
    const since = arrived(id, former !== undefined && isServing)
    if (former === undefined || world.get(proxyGroups, former.group) === undefined) return {}
    if (since === undefined) return { former }
    return since >= settledMs ? {} : { former, again: settledMs - since }
  }
}
