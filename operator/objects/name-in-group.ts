import { UserError } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { quote } from '../../lib/quote.ts'
import type { Kind } from '../kind.ts'
import type { World } from '../world/world.ts'
import { type ParentType, serviceRecordName } from './names.ts'
import { parentInGroup, parentValue } from './parent.ts'
import { configMaps } from './resources.ts'

/**
 * @throws UserError `NameInUse` while an object has a Tailscale Service with this name, which a group of proxies hosts
 * for it: the tailnet would call its node by another one
 */
export function waitForGroup(type: ParentType, { metadata }: KubeObject, hostname: string, world: World): void {
  const parent = { type, namespace: metadata.namespace ?? '', name: metadata.name }
  const records = world.by(configMaps, 'parentInGroup', parentValue(parent))
  if (!records.some(({ metadata: { name } }) => name === serviceRecordName(hostname.toLowerCase()))) return
  throw new UserError(
    'NameInUse',
    `the Tailscale Service with the name ${quote(hostname)} goes first, which it has had through a group`,
  )
}

/** The objects of a resource that may wait for that. */
export const groupsLeft = (resource: Resource): NonNullable<Kind['concerns']>[number] => ({
  resource: configMaps,
  keys: ({ metadata }: KubeObject, world: World) => {
    const parent = parentInGroup(metadata)
    const all = parent === undefined ? [] : world.by(resource, 'parent', parentValue(parent))
    return all.map((object) => keyOf(object.metadata))
  },
})
