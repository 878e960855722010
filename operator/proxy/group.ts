import type { KubeObject } from '../../kube/controller/object.ts'
import { annotations } from '../objects/annotations.ts'
import { finalizer } from '../objects/names.ts'
import { manager } from '../world/followed.ts'

/**
 * Whether the finalizer of a Service is there for a group of proxies: an egress group uses the same one. It is not if
 * this operator has set it, for proxies of the Service's own.
 */
export function isOfGroup({ metadata }: KubeObject): boolean {
  const has = (key: 'proxyGroup' | 'tailnetFqdn' | 'tailnetIp'): boolean =>
    metadata.annotations?.[annotations[key].name] !== undefined
  if (!has('proxyGroup') || !(has('tailnetFqdn') || has('tailnetIp'))) return false
  const item = JSON.stringify(`v:${JSON.stringify(finalizer)}`)
  return !metadata.managedFields?.some(
    (entry) => entry.manager === manager && JSON.stringify(entry.fieldsV1).includes(item),
  )
}
