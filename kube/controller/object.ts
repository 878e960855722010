/** An object of the Kubernetes API as JSON. Fields that this code does not know are kept. */
export type KubeObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
  readonly [field: string]: unknown
}

export type Metadata = {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  /** Opaque: only whether two are equal means something. */
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly finalizers?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  readonly managedFields?: readonly ManagedFields[]
  readonly [field: string]: unknown
}

export type OwnerReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly [field: string]: unknown
}

/** Which fields a field manager owns. */
export type ManagedFields = {
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
  readonly fieldsV1?: unknown
  readonly [field: string]: unknown
}

/** An object's name and, if its kind has namespaces, its namespace. */
export type Name = { readonly name: string; readonly namespace?: string | undefined }

/** `namespace/name`, or only the name. */
export const keyOf = ({ namespace, name }: Name): string => (namespace === undefined ? name : `${namespace}/${name}`)

export function nameOf(key: string): Name {
  const slash = key.indexOf('/')
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** Freezes a value of JSON with everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) deepFreeze(part)
  }
  return value
}
