import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'

/** What the cluster holds, as far as the operator follows it. Objects are frozen. */
export type World = {
  /** `key`: `namespace/name`, or only the name. */
  readonly get: (resource: Resource, key: string) => KubeObject | undefined
  readonly all: (resource: Resource) => Iterable<KubeObject>
  /** The objects under a value of an index of that resource's store; `followed.ts` has the indexes. */
  readonly by: (resource: Resource, index: IndexName, value: string) => readonly KubeObject[]
  /**
   * Whether an object with this key would be seen. If not, that it is not there says nothing: its namespace is not the
   * operator's concern, or cannot be read now.
   */
  readonly follows: (key: string) => boolean
}

export type IndexName =
  /** `parentValue` of an object's parent, by its labels; of what can be a parent, that of itself. */
  | 'parent'
  /** The name of the ProxyClass that the object itself asks for; empty if none. */
  | 'class'
  /** The value of the label `app`: the parent's UID. */
  | 'app'
  /** The name of the ProxyGroup that the object asks for by its annotation. */
  | 'group'
  /** The name of the ProxyGroup for which the object was made, by its label; not of what is named after the group. */
  | 'madeForGroup'
  /** `parentValue` of the parent of an object that was made for a group, but is that of one of its users. */
  | 'parentInGroup'
  /** The names of the ProxyGroups whose replicas host the Tailscale Service of a record. */
  | 'servedBy'
  /** The name of the Tailscale Service that an object asks of a group. */
  | 'tailscaleService'
  /** The name in the tailnet, in lower case, that a Service would have. */
  | 'nodeName'
  /** `namespace/name` of the Service of an EndpointSlice. */
  | 'service'
  /** The keys of the Secrets that the object refers to. */
  | 'secret'
