import { UserError } from '../../kube/controller/controller.ts'
import { appliedBy } from '../../kube/controller/managed.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { describe } from '../../lib/errors.ts'
import type { Refused } from '../kind.ts'
import { labels } from '../objects/names.ts'
import { type Parent, parentOf, parentResources, parentValue } from '../objects/parent.ts'
import * as resources from '../objects/resources.ts'
import { manager } from '../world/followed.ts'
import type { World } from '../world/world.ts'

/** Whether an object was made for this parent, by this operator or by Tailscale's. */
export function isMadeFor(parent: Parent, { metadata }: KubeObject): boolean {
  const found = parentOf(metadata)
  return found !== undefined && parentValue(found) === parentValue(parent)
}

/** The object for which others are made, by its name or by what labels have of it; undefined if it is gone. */
export const presentFor = (world: Pick<World, 'by'>, parent: Parent): KubeObject | undefined =>
  world
    .by(parentResources[parent.type], 'parent', parentValue(parent))
    .find(
      ({ metadata: { namespace = '', name } }) =>
        parentValue({ type: parent.type, namespace, name }) === parentValue(parent),
    )

/**
 * Whether an object with the name of one that is made for this parent may be changed: also one whose labels somebody has
 * removed since we made it, which is found by its name alone then. What others made, or we for another parent, may not.
 */
export function isOurs(parent: Parent, present: KubeObject): boolean {
  const { labels: all = {} } = present.metadata
  if (all[labels.managed] === 'true' || appliedBy(manager, present) === undefined) return isMadeFor(parent, present)
  const found = parentOf({ ...present.metadata, labels: { ...all, [labels.managed]: 'true' } })
  return found === undefined || parentValue(found) === parentValue(parent)
}

/** Resources of what is made for parents besides StatefulSets, Pods and Secrets: these go in an order of their own. */
const simple: readonly Resource[] = [
  resources.services,
  resources.serviceAccounts,
  resources.roleBindings,
  resources.roles,
  resources.networkPolicies,
  resources.configMaps,
  resources.podDisruptionBudgets,
  resources.serviceMonitors,
]

/** All objects of these that were made for a parent. */
export const madeFor = (world: World, parent: Parent, kinds: readonly Resource[] = simple): readonly KubeObject[] =>
  kinds.flatMap((resource) =>
    world.by(resource, 'parent', parentValue(parent)).filter((object) => isMadeFor(parent, object)),
  )

/** Whether something is left of a parent. */
export const hasAny = (world: World, parent: Parent): boolean =>
  [[resources.statefulSets], [resources.pods], [resources.secrets], simple].some(
    (kinds) => madeFor(world, parent, kinds).length > 0,
  )

const notOwned = 'NotOwned'
/** What belongs to others is not followed, so nothing tells when it is gone. */
const takenMs = 30_000

/**
 * What there is to tell if something failed since a name that is needed is taken, and after how many milliseconds it is
 * tried again.
 * @throws any other error
 */
export function unlessTaken(error: unknown): { readonly refused: Refused; readonly again: number } {
  if (!(error instanceof UserError && error.reason === notOwned)) throw error
  return { refused: { as: 'failed', reason: notOwned, message: describe(error) }, again: takenMs }
}

/** @throws UserError if the object is there and belongs to somebody else */
export function mustBeOurs(parent: Parent, present: KubeObject | undefined): void {
  if (present === undefined || isOurs(parent, present)) return
  const { kind, metadata } = present
  const words = `${kind} "${metadata.name}" in namespace "${metadata.namespace ?? ''}"`
  throw new UserError(notOwned, `${words} exists already and belongs to somebody else`, 'Delete or rename it.')
}
