import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Parent } from '../objects/parent.ts'
import { pods, secrets, statefulSets } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { madeFor } from './owned.ts'
import type { Device } from './request.ts'
import { readDevice } from './state.ts'

/** The ordinal at the end of the name of a Secret or Pod; undefined if it is not one of this StatefulSet. */
export function ordinalOf(name: string, { metadata }: KubeObject, suffix = ''): number | undefined {
  const isOne = metadata.name.startsWith(`${name}-`) && metadata.name.endsWith(suffix)
  const rest = isOne ? metadata.name.slice(name.length + 1, metadata.name.length - suffix.length) : ''
  return /^(?:0|[1-9]\d{0,5})$/.test(rest) ? Number(rest) : undefined
}

/** How many replicas a StatefulSet has by its spec. */
export function replicasOf(set: KubeObject | undefined): number | undefined {
  const spec = set?.['spec']
  return typeof spec === 'object' && spec !== null && 'replicas' in spec && typeof spec.replicas === 'number'
    ? spec.replicas
    : undefined
}

/** The Pods of a StatefulSet's first replicas that are there, in their order. */
export const podsOf = (world: Pick<World, 'get'>, { metadata }: KubeObject, replicas: number): readonly KubeObject[] =>
  Array.from({ length: replicas }, (_, ordinal) =>
    world.get(pods, keyOf({ ...metadata, name: `${metadata.name}-${ordinal}` })),
  ).filter((pod) => pod !== undefined)

/** Whether the StatefulSet's controller has acted on what its spec says now. */
export function isObserved({ metadata, status }: KubeObject): boolean {
  return (
    typeof status === 'object' &&
    status !== null &&
    'observedGeneration' in status &&
    status.observedGeneration === metadata.generation
  )
}

/** The devices of a parent's replicas, in their order. */
export function devicesOf(world: World, parent: Parent, name: string): readonly Device[] {
  const all = madeFor(world, parent, [secrets]).flatMap((secret) => {
    const ordinal = ordinalOf(name, secret)
    return ordinal === undefined ? [] : [{ ordinal, secret }]
  })
  const [set] = madeFor(world, parent, [statefulSets])
  return all
    .filter(({ ordinal }) => ordinal < (replicasOf(set) ?? all.length))
    .toSorted((one, other) => one.ordinal - other.ordinal)
    .map(({ ordinal, secret }) => readDevice(ordinal, secret, world.get(pods, keyOf(secret.metadata))))
}
