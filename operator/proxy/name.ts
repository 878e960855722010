import { createHash } from 'node:crypto'
import { type KubeObject } from '../../kube/controller/object.ts'
import { type Parent, parentValue } from '../objects/parent.ts'
import { services, statefulSets } from '../objects/resources.ts'
import type { World } from '../world/world.ts'

/** With the ordinal and the hash of a revision, a longer name would not fit into the labels of Pods. */
const longest = 52
const hashLength = 5

/**
 * The name of the StatefulSet and of what belongs to it: that of the parent, and letters that follow from its UID, so
 * that a second attempt makes no second proxy. `purpose`: another name for another purpose.
 */
export function newName({ name, uid = '' }: KubeObject['metadata'], purpose = ''): string {
  const base = `ts-${name.replaceAll('.', '-')}`.slice(0, longest - hashLength - 1).replace(/-+$/, '')
  const hash = BigInt(
    `0x${createHash('sha256')
      .update(uid + purpose)
      .digest('hex')}`,
  )
  return `${base}-${hash.toString(36).slice(0, hashLength)}`
}

/** The name that a parent's proxies have already, also if another operator has chosen it. */
export function presentName(world: World, parent: Parent): string | undefined {
  const value = parentValue(parent)
  const [set] = world.by(statefulSets, 'parent', value)
  return (set ?? world.by(services, 'parent', value).find(isHeadless))?.metadata.name
}

/** Whether a Service of a parent is the one that gives its Pods names; with the parent itself in the same index. */
export function isHeadless({ metadata, spec }: KubeObject): boolean {
  return (
    metadata.labels?.['tailscale.com/managed'] === 'true' &&
    typeof spec === 'object' &&
    spec !== null &&
    'clusterIP' in spec &&
    spec.clusterIP === 'None'
  )
}
