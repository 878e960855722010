import type { KubeObject } from '../../kube/controller/object.ts'
import { labels } from './names.ts'

/**
 * The name of the ProxyClass that an object asks for: a label goes before an annotation of the same name. The default
 * one if it asks for none; of a Connector, there is no default.
 */
export function proxyClassOf({ kind, metadata, spec }: KubeObject, defaultClass = ''): string | undefined {
  if (kind !== 'Service' && kind !== 'Ingress') {
    const name = typeof spec === 'object' && spec !== null && 'proxyClass' in spec ? spec.proxyClass : undefined
    if (typeof name === 'string' && name !== '') return name
    return kind === 'ProxyGroup' ? defaultClass || undefined : undefined
  }
  return metadata.labels?.[labels.proxyClass] || metadata.annotations?.[labels.proxyClass] || defaultClass || undefined
}
