import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { formsOf } from '../group-ingress/names.ts'
import { acmeFinalizer } from '../group/acme.ts'
import { finalizer, notes } from '../objects/names.ts'
import { parentInGroup, parentOf } from '../objects/parent.ts'
import { pods, proxyGroups, secrets } from '../objects/resources.ts'
import { conditionsOf } from '../proxy/report.ts'
import { deviceIdIn } from '../proxy/state.ts'
import type { World } from '../world/world.ts'

/** What is left of all that the operator has made, and of what it has written to objects of users. */
export type Left = {
  readonly pods: number
  readonly devices: number
  readonly secrets: number
  readonly others: number
  /** Objects of users that have a finalizer, or are not what they were before. */
  readonly waiting: number
}

/** `resources`: all that are followed. */
export function leftIn(world: Pick<World, 'all'>, resources: readonly Resource[]): Left {
  const unmanaged = new Set([...world.all(proxyGroups)].filter(isUnmanaged).map(({ metadata }) => metadata.name))
  const of = (resource: Resource): readonly KubeObject[] =>
    [...world.all(resource)].filter((object) => isMade(object) && !unmanaged.has(groupOf(object) ?? ''))
  const made = resources.flatMap((resource) => of(resource).map(() => resource))
  const count = (resource: Resource): number => made.filter((one) => one === resource).length
  return {
    pods: count(pods),
    devices: of(secrets).filter((secret) => deviceIdIn(secret) !== undefined).length,
    secrets: count(secrets),
    others: made.length - count(pods) - count(secrets),
    waiting: resources.flatMap((resource) => [...world.all(resource)].filter(isWaiting)).length,
  }
}

/** Of what other operators have made for kinds that are not managed here, nothing is removed. */
const isMade = ({ metadata }: KubeObject): boolean =>
  parentOf(metadata) !== undefined || parentInGroup(metadata) !== undefined

const isUnmanaged = (object: KubeObject): boolean => conditionsOf(object).some(({ type }) => type === 'NotManaged')

function groupOf({ metadata }: KubeObject): string | undefined {
  const parent = parentOf(metadata)
  return parent?.type === 'proxygroup' ? parent.name : undefined
}

function isWaiting(object: KubeObject): boolean {
  const { metadata } = object
  if (isMade(object) || isUnmanaged(object)) return false
  const isHeld = [finalizer, acmeFinalizer].some((one) => metadata.finalizers?.includes(one) === true)
  return isHeld || formsOf(object).length > 0 || metadata.annotations?.[notes.beforeEgress] !== undefined
}

export const isNothing = (left: Left): boolean => Object.values(left).every((count) => count === 0)

/** In words, without what there is nothing of. */
export function inWords({ pods: podCount, devices, secrets: secretCount, others, waiting }: Left): string {
  const parts = [
    counted(podCount, 'Pod'),
    counted(devices, 'device'),
    counted(secretCount, 'Secret'),
    counted(others, 'other object'),
    waiting === 0 ? [] : [`${waiting} ${waiting === 1 ? 'object that waits' : 'objects that wait'} for that`],
  ].flat()
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}

const counted = (count: number, noun: string): readonly string[] =>
  count === 0 ? [] : [`${count} ${noun}${count === 1 ? '' : 's'}`]
