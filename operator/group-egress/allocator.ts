import { createHash } from 'node:crypto'
import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { KubeError } from '../../kube/error.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Parent } from '../objects/parent.ts'
import type { World } from '../world/world.ts'
import { allocate, type Allocated, type Range } from './allocate.ts'
import { type ClusterService, portKey, servedBy, usualKey } from './cluster-service.ts'
import type { RequestedPort } from './request.ts'

/** What a Service has of its own in a group: a name in the group's file, and ports of the Pods. */
export type Place = { readonly key: string; readonly allocated: Allocated }

export type Asked = {
  readonly parent: Parent
  /** The UID of the user's Service. */
  readonly uid: string
  /** Its ClusterIP Service, also if that is for another group until now. */
  readonly present: ClusterService | undefined
  readonly group: string
  readonly ports: readonly RequestedPort[]
  readonly range: Range
}

/** A place that was chosen, and that the cache may not show yet: from when on it may be forgotten, in the clock's time. */
type Pending = Place & { readonly group: string; readonly until: number }

/**
 * Milliseconds after which a write without an answer is not done any more, since the API server gives up after a minute,
 * and after which the cache shows what was written.
 */
const pendingMs = 120_000

/**
 * Gives Services their places in groups. A place is chosen and remembered in one step, so that writes of different
 * Services can be under way at the same time: it stays theirs until the cache shows it, or until it is certain that it
 * is not written. Another operator, or a user, can write at the same time all the same: whoever sees two Services with
 * one port gives another one to the younger of them. A Service is looked at again after each of its writes, when the
 * cache shows it, and with it all that was written before.
 */
export function allocator(world: Pick<World, 'by'>, clock: Clock) {
  const pending = new Map<string, Pending>()
  const idOf = ({ namespace, name }: Parent): string => `${namespace}/${name}`

  const placeFor = (asked: Asked, random?: () => number): Place => {
    const { parent, uid, present, group, ports, range } = asked
    const id = idOf(parent)
    const own = present === undefined ? new Map<string, number>() : portsOf(present)
    const ownPorts = new Set(own.values())
    const [used, keys] = [new Set<number>(), new Set<string>()]
    const add = (other: { readonly key: string; readonly ports: Iterable<number> }, isJunior: boolean): void => {
      if (!(isJunior && other.key === present?.key)) keys.add(other.key)
      for (const port of other.ports) if (!(isJunior && ownPorts.has(port))) used.add(port)
    }
    const others = servedBy(world, group).filter((service) => idOf(service.parent) !== id)
    const shown = new Map(others.map((service) => [idOf(service.parent), service]))
    // In a group that it comes to, a Service takes nothing from those that are there.
    const isThere = present?.group === group
    for (const service of others)
      add({ key: service.key, ports: portsOf(service).values() }, isThere && isSenior(present.object, service.object))
    for (const [other, place] of pending) {
      const isShown = shown.get(other)?.key === place.key && isSameMap(portsOf(shown.get(other)!), place.allocated)
      if (isShown || clock.now() > place.until) pending.delete(other)
      else if (other !== id && place.group === group) add({ key: place.key, ports: place.allocated.values() }, false)
    }
    return {
      key: freeKey(parent, uid, present?.key, keys),
      allocated: allocate(ports.map(portKey), own, used, range, random),
    }
  }

  return {
    place: async <T>(asked: Asked, write: (place: Place) => Promise<T>): Promise<T> => {
      const id = idOf(asked.parent)
      const place = placeFor(asked)
      const keep = (until: number): unknown => pending.set(id, { ...place, group: asked.group, until })
      keep(Infinity)
      try {
        const result = await write(place)
        keep(clock.now() + pendingMs)
        return result
      } catch (error) {
        if (isRefused(error)) pending.delete(id)
        else keep(clock.now() + pendingMs)
        throw error
      }
    },
  }
}

/** Whether a failed write has certainly changed nothing: otherwise the API may have done it, or be about to. */
const isRefused = (error: unknown): boolean =>
  error instanceof UserError || (error instanceof KubeError && error.status !== undefined && error.status < 500)

const portsOf = ({ ports }: ClusterService): Allocated => new Map(ports.map((one) => [portKey(one), one.matchPort]))

const isSameMap = (one: Allocated, other: Allocated): boolean =>
  one.size === other.size && [...one].every(([key, port]) => other.get(key) === port)

/** Whether an object that is there is older than another one. */
function isSenior(object: KubeObject | undefined, other: KubeObject): boolean {
  if (object === undefined) return false
  const age = ({ metadata }: KubeObject): string => `${String(metadata['creationTimestamp'])} ${metadata.uid}`
  return age(object) < age(other)
}

function freeKey(parent: Parent, uid: string, present: string | undefined, used: ReadonlySet<string>): string {
  const usual = usualKey(parent)
  if (present !== undefined && !used.has(present)) return present
  return used.has(usual) ? `${usual}-${createHash('sha256').update(uid).digest('hex').slice(0, 8)}` : usual
}
