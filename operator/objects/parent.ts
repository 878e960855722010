import { createHash } from 'node:crypto'
import type { Metadata } from '../../kube/controller/object.ts'
import { labels, type ParentType } from './names.ts'

/** The object for which others are made. Its names may be longer than the value of a label can be. */
export type Parent = {
  readonly type: ParentType
  /** Empty for kinds without namespaces. */
  readonly namespace: string
  readonly name: string
}

/** A name as a label can have it: one of more than 63 characters is cut, and ends with a hash. Doing so twice changes nothing. */
export function labelValue(name: string): string {
  if (name.length <= 63) return name
  return `${name.slice(0, 54)}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
}

/** The labels of everything that is made for a parent. */
export const labelsOf = ({ type, namespace, name }: Parent): Readonly<Record<string, string>> => ({
  [labels.managed]: 'true',
  [labels.parentType]: type,
  [labels.parentName]: labelValue(name),
  [labels.parentNamespace]: namespace,
})

/** Names the parent, as `parentValue` does, where labels would be mistaken by other operators. */
export const parentAnnotation = 'culvert/parent'

/**
 * The parent that an object's labels name, with names as labels have them; undefined if it was not made for one, or for
 * a group of proxies, whose objects have these labels, too.
 */
export function parentOf({ labels: all = {}, annotations = {} }: Metadata): Parent | undefined {
  const [kind, within = '', called] = annotations[parentAnnotation]?.split('/') ?? []
  if (all[labels.managed] === 'true' && isType(kind) && called !== undefined)
    return { type: kind, namespace: within, name: called }
  const [type, name, namespace] = [labels.parentType, labels.parentName, labels.parentNamespace].map(
    (label) => all[label],
  )
  if (all[labels.managed] !== 'true' || all[labels.proxyGroup] !== undefined) return undefined
  if (!isType(type) || name === undefined || namespace === undefined) return undefined
  return { type, namespace, name }
}

const isType = (text: string | undefined): text is ParentType =>
  text === 'svc' || text === 'ingress' || text === 'connector'

/** The value of the index `parent`, which is the same for a parent and for its labels. */
export const parentValue = ({ type, namespace, name }: Parent): string => `${type}/${namespace}/${labelValue(name)}`
