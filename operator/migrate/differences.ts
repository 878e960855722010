import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'

/** Of the metadata, what somebody decides. */
const decided = ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const

/**
 * Where two states of an object differ, besides its status and what the API keeps itself: paths such as
 * `spec.template.spec.containers[tailscale].image`. No values, of which some are secret.
 */
export function differences(before: KubeObject, after: KubeObject): readonly string[] {
  return within('', essence(before), essence(after))
}

function essence({ apiVersion: _version, kind: _kind, status: _status, metadata, ...rest }: KubeObject): unknown {
  const kept = decided.flatMap((name) => (isEmpty(metadata[name]) ? [] : [[name, metadata[name]] as const]))
  return { ...rest, metadata: Object.fromEntries(kept) }
}

function within(path: string, before: unknown, after: unknown): readonly string[] {
  if (isDeepStrictEqual(before, after) || (isEmpty(before) && isEmpty(after))) return []
  const [one, other] = [parts(before), parts(after)]
  if (one === undefined || other === undefined || Array.isArray(before) !== Array.isArray(after)) return [path]
  return [...new Set([...one.keys(), ...other.keys()])].flatMap((name) =>
    within(join(path, name), one.get(name), other.get(name)),
  )
}

/** The parts of an object or a list by name; undefined of what has none. Items without a name go by their position. */
function parts(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (isJsonObject(value)) return new Map(Object.entries(value))
  if (!Array.isArray(value)) return undefined
  return new Map(
    value.map((item: unknown, index) => {
      const name = isJsonObject(item) ? (item['name'] ?? item['mountPath']) : undefined
      return [`[${typeof name === 'string' ? name : index}]`, item]
    }),
  )
}

const join = (path: string, name: string): string =>
  path === '' || name.startsWith('[') ? path + name : `${path}.${name}`

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
