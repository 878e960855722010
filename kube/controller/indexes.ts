import type { KubeObject } from './object.ts'

/** The values under which an object is found. */
export type Index<T extends KubeObject = KubeObject> = (object: T) => readonly string[]

export const byOwner: Index = ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid)

export const byLabel =
  (name: string): Index =>
  ({ metadata }) =>
    valueOf(metadata.labels, name)

export const byAnnotation =
  (name: string): Index =>
  ({ metadata }) =>
    valueOf(metadata.annotations, name)

/** The keys of the Secrets that an object with a Pod template, a Pod or an Ingress refers to. */
export const bySecret: Index = (object) => {
  const found = new Set<string>()
  const prefix = object.metadata.namespace === undefined ? '' : `${object.metadata.namespace}/`
  const visit = (value: unknown, field: string): void => {
    if (typeof value === 'string' && field === 'secretName') found.add(prefix + value)
    if (typeof value !== 'object' || value === null) return
    if (references.has(field) && 'name' in value && typeof value.name === 'string') found.add(prefix + value.name)
    for (const [name, part] of Object.entries(value)) visit(part, Array.isArray(value) ? field : name)
  }
  visit(object['spec'], 'spec')
  return [...found]
}

/** Fields whose value is the reference to a Secret by `name`. */
const references: ReadonlySet<string> = new Set(['secretRef', 'secretKeyRef', 'imagePullSecrets'])

const valueOf = (values: Readonly<Record<string, string>> | undefined, name: string): readonly string[] => {
  const value = values?.[name]
  return value === undefined ? [] : [value]
}
