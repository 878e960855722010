/**
 * Names that clusters hold and that users, Tailscale's operator and the agents know: labels, annotations, finalizers,
 * keys. None may change (docs/contract.md).
 */

export const group = 'tailscale.com'
export const version = 'v1alpha1'

export const finalizer = 'tailscale.com/finalizer'

export const labels = {
  managed: 'tailscale.com/managed',
  parentType: 'tailscale.com/parent-resource-type',
  parentName: 'tailscale.com/parent-resource',
  parentNamespace: 'tailscale.com/parent-resource-ns',
  secretType: 'tailscale.com/secret-type',
  proxyGroup: 'tailscale.com/proxy-group',
  /** What an object that is made for a group does for its parent: `egress`. */
  serviceType: 'tailscale.com/svc-type',
  proxyClass: 'tailscale.com/proxy-class',
  /** The Pods of a parent, by its UID. */
  app: 'app',
  /** Of a Namespace: in which shard its objects are. */
  shard: 'culvert/shard',
} as const

/** The Lease of a shard; that of the first is the only one unless there are more. */
export const leaseOf = (shard: number): string => `culvert-operator${shard === 0 ? '' : `-${shard}`}`

/** The ConfigMap in which the operator keeps what it knows of a Tailscale Service, by its name without `svc:`. */
export const serviceRecordName = (host: string): string => `tailscale-service-${host}`

/** The value of `labels.parentType`. */
export type ParentType = 'svc' | 'ingress' | 'connector' | 'recorder' | 'proxygroup' | 'apiserver'

/** Annotations that the operator writes to objects of users. */
export const notes = {
  /** What a Service was before L3 egress rewrote it: JSON of fields of its `spec`. */
  beforeEgress: 'culvert/before-egress',
} as const
