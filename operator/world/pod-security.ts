import { keyOf, type Name } from '../../kube/controller/object.ts'
import { namespaces } from '../objects/resources.ts'
import type { World } from './world.ts'

const label = 'pod-security.kubernetes.io/enforce'

/**
 * Which level of Pod Security the namespace of the proxies enforces, if that forbids NET_ADMIN, devices of the node and
 * privileged init containers; undefined if Pods may have these. What the cluster enforces by default is not known.
 */
export function forbiddenBy(world: Pick<World, 'get'>, namespace: string): 'baseline' | 'restricted' | undefined {
  const name: Name = { name: namespace }
  const level = world.get(namespaces, keyOf(name))?.metadata.labels?.[label]
  return level === 'baseline' || level === 'restricted' ? level : undefined
}
