import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'

/** What the cluster holds, as far as the operator follows it. Objects are frozen. */
export type World = {
  /** `key`: `namespace/name`, or only the name. */
  readonly get: (resource: Resource, key: string) => KubeObject | undefined
  readonly all: (resource: Resource) => Iterable<KubeObject>
  /** The objects under a value of an index of that resource's store; `followed.ts` has the indexes. */
  readonly by: (resource: Resource, index: IndexName, value: string) => readonly KubeObject[]
}

export type IndexName =
  /** `parentValue` of an object's parent, by its labels; of what can be a parent, that of itself. */
  | 'parent'
  /** The name of the ProxyClass that the object itself asks for; empty if none. */
  | 'class'
  /** The value of the label `app`: the parent's UID. */
  | 'app'
  /** The keys of the Secrets that the object refers to. */
  | 'secret'
