import { isJsonObject, type JsonObject, parseJson } from '../../lib/json.ts'
import type { KubeObject } from './object.ts'

/**
 * What a field manager has applied, with the values that the object has now; without name and namespace. Undefined if
 * it has applied nothing. Needs no schema: `managedFields` tell which fields and which items of lists are its own.
 */
export function appliedBy(manager: string, object: KubeObject, subresource?: string): JsonObject | undefined {
  const entry = object.metadata.managedFields?.find(
    (one) => one.manager === manager && one.operation === 'Apply' && (one.subresource || undefined) === subresource,
  )
  if (!isJsonObject(entry?.fieldsV1)) return undefined
  const { apiVersion, kind } = object
  const view = extract(object, entry.fieldsV1)
  return { ...(isJsonObject(view) ? view : {}), apiVersion, kind }
}

/** What is compared with that: all that is to be applied, without what only says to which object. */
export function comparable({
  metadata: { name: _name, namespace: _namespace, uid: _uid, ...metadata },
  ...rest
}: KubeObject): JsonObject {
  const value = Object.keys(metadata).length === 0 ? rest : { ...rest, metadata }
  const plain = parseJson(JSON.stringify(value))
  return isJsonObject(plain) ? plain : {}
}

/** The part of a value that is in a set of fields; undefined if none of it is there any more. */
function extract(value: unknown, fields: JsonObject): unknown {
  const names = Object.keys(fields).filter((name) => name !== '.')
  if (names.length === 0) {
    // A leaf is owned as a whole, but of a map or list that has `.` only that it exists.
    if (!('.' in fields)) return value
    return Array.isArray(value) ? [] : isJsonObject(value) ? {} : value
  }
  if (Array.isArray(value)) return items(value, fields, names)
  if (!isJsonObject(value)) return undefined
  const parts = names.flatMap((name) => {
    const field = name.startsWith('f:') ? name.slice(2) : undefined
    if (field === undefined || !Object.hasOwn(value, field)) return []
    const part = extract(value[field], partOf(fields, name))
    return part === undefined ? [] : [[field, part] as const]
  })
  return parts.length === 0 && !('.' in fields) ? undefined : Object.fromEntries(parts)
}

/** Items of a list: by their keys (`k:`), values (`v:`) or positions (`i:`). */
function items(list: readonly unknown[], fields: JsonObject, names: readonly string[]): unknown[] {
  const wanted = names.map((name) => ({ fields: partOf(fields, name), matches: matcher(name) }))
  return list.flatMap((item, index) => {
    const found = wanted.find(({ matches }) => matches(item, index))
    return found === undefined ? [] : [extract(item, found.fields)]
  })
}

function matcher(name: string): (item: unknown, index: number) => boolean {
  const [type, text] = [name.slice(0, 2), name.slice(2)]
  if (type === 'i:') return (_item, index) => index === Number(text)
  const wanted: unknown = parseJson(text)
  if (type === 'v:') return (item) => JSON.stringify(item) === JSON.stringify(wanted)
  if (type !== 'k:' || !isJsonObject(wanted)) return () => false
  return (item) => isJsonObject(item) && Object.entries(wanted).every(([key, value]) => item[key] === value)
}

const partOf = (fields: JsonObject, name: string): JsonObject => {
  const part = fields[name]
  return isJsonObject(part) ? part : {}
}

/** What is to be stored of an object: without the field sets of other managers, and without what kubectl remembers. */
export const trimFor =
  (manager: string) =>
  <T extends KubeObject>(object: T): T => {
    const { metadata } = object
    const annotations = { ...metadata.annotations }
    delete annotations['kubectl.kubernetes.io/last-applied-configuration']
    const managedFields = metadata.managedFields?.filter((entry) => entry.manager === manager) ?? []
    return {
      ...object,
      metadata: { ...metadata, ...(metadata.annotations && { annotations }), managedFields },
    }
  }
