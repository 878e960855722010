import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Parent } from '../objects/parent.ts'
import { pods, secrets } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { madeFor } from './owned.ts'
import { isObserved, ordinalOf } from './seen.ts'

/** The end of the names of Secrets that have only the config of a replica. */
export const configSuffix = '-config'

/** The Secrets of a parent beyond its replicas, which go when the StatefulSet and its Pods have left them. */
export const surplusOf = (world: World, parent: Parent, name: string, replicas: number): readonly KubeObject[] =>
  madeFor(world, parent, [secrets]).filter((secret) => {
    const ordinal = ordinalOf(name, secret) ?? ordinalOf(name, secret, configSuffix)
    return (ordinal ?? Infinity) >= replicas
  })

/** Those of them that no Pod uses, or will use, any more. */
export function freeOf(
  world: World,
  surplus: readonly KubeObject[],
  set: KubeObject | undefined,
): readonly KubeObject[] {
  // Otherwise a Pod may be created at this moment.
  if (set === undefined || !isObserved(set)) return []
  return surplus.filter(({ metadata: { namespace, name } }) => {
    const pod = name.endsWith(configSuffix) ? name.slice(0, -configSuffix.length) : name
    return world.get(pods, keyOf({ namespace, name: pod })) === undefined
  })
}
