import { createHash } from 'node:crypto'
import type { Metadata } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { labels, type ParentType } from './names.ts'
import * as resources from './resources.ts'

/** The object for which others are made. Its names may be longer than the value of a label can be. */
export type Parent = {
  readonly type: ParentType
  /** Empty for kinds without namespaces. */
  readonly namespace: string
  readonly name: string
}

/** What parents of each type are. */
export const parentResources: Readonly<Record<ParentType, Resource>> = {
  svc: resources.services,
  ingress: resources.ingresses,
  connector: resources.connectors,
  recorder: resources.recorders,
  proxygroup: resources.proxyGroups,
  // Nobody asks for it but the operator's settings: it is for itself.
  apiserver: resources.statefulSets,
}

/** A name as a label can have it: one of more than 63 characters is cut, and ends with a hash. Doing so twice changes nothing. */
export function labelValue(name: string): string {
  if (name.length <= 63) return name
  return `${name.slice(0, 54)}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
}

/** The labels of everything that is made for a parent; those of a group of proxies select its Pods, too. */
export const labelsOf = ({ type, namespace, name }: Parent): Readonly<Record<string, string>> => ({
  [labels.managed]: 'true',
  [labels.parentType]: type,
  [labels.parentName]: labelValue(name),
  ...(type !== 'proxygroup' && { [labels.parentNamespace]: namespace }),
})

/** Names the parent, as `parentValue` does, where labels would be mistaken by other operators. */
export const parentAnnotation = 'culvert/parent'

/**
 * The parent that an object's labels name, with names as labels have them; undefined if it was not made for one. What a
 * group of proxies has for the objects that use it has the labels of these, too, and is not theirs alone.
 */
export function parentOf({ labels: all = {}, annotations = {} }: Metadata): Parent | undefined {
  const [kind, within = '', called] = annotations[parentAnnotation]?.split('/') ?? []
  if (all[labels.managed] === 'true' && isType(kind) && called !== undefined)
    return { type: kind, namespace: within, name: called }
  const [type, name] = [all[labels.parentType], all[labels.parentName]]
  const namespace = type === 'proxygroup' ? '' : all[labels.parentNamespace]
  if (all[labels.managed] !== 'true' || all[labels.proxyGroup] !== undefined) return undefined
  if (!isType(type) || name === undefined || namespace === undefined) return undefined
  return { type, namespace, name }
}

/** The same of an object that was made for its parent's use of a group of proxies. */
export function parentInGroup(metadata: Metadata): Parent | undefined {
  const { [labels.proxyGroup]: group, ...others } = metadata.labels ?? {}
  return group === undefined ? undefined : parentOf({ ...metadata, labels: others })
}

const isType = (text: string | undefined): text is ParentType =>
  text !== undefined && Object.hasOwn(parentResources, text)

/** The value of the index `parent`, which is the same for a parent and for its labels. */
export const parentValue = ({ type, namespace, name }: Parent): string => `${type}/${namespace}/${labelValue(name)}`
