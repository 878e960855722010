import { type Name } from './object.ts'

/** A kind of objects, as URLs name it. */
export type Resource = {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
}

/** Which objects of a kind; all if empty. */
export type Scope = {
  readonly namespace?: string
  readonly labels?: string
  readonly fields?: string
}

export const apiVersionOf = ({ group, version }: Resource): string => (group === '' ? version : `${group}/${version}`)

/** The path of a collection; in all namespaces if none is given. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? '/api' : `/apis/${encodeURIComponent(resource.group)}`
  const within = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${root}/${resource.version}${within}/${resource.plural}`
}

export function objectPath(resource: Resource, { namespace, name }: Name, subresource?: string): string {
  const item = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`
  return subresource === undefined ? item : `${item}/${subresource}`
}

/** For messages: `Secret "a" in namespace "b"`. */
export const inWords = ({ kind }: Resource, { namespace, name }: Name): string =>
  `${kind} "${name}"${namespace === undefined ? '' : ` in namespace "${namespace}"`}`

export const allInWords = ({ plural }: Resource, { namespace }: Scope): string =>
  `${plural} in ${namespace === undefined ? 'all namespaces' : `namespace "${namespace}"`}`
