import { isJsonObject, type JsonObject } from '../../lib/json.ts'

/** The lists of Pod templates whose items are merged, and the field that names an item, as Kubernetes has them. */
const itemNames: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  ports: 'containerPort',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  volumes: 'name',
  imagePullSecrets: 'name',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
  resourceClaims: 'name',
  schedulingGates: 'name',
}

/**
 * Merges a patch into a Pod template, as the API does with a strategic merge patch: objects field by field, the lists
 * above item by item, everything else as a whole. Only new items come last instead of first: variables can refer to
 * those before them, and the first container is that of the proxy. `$patch: delete` removes a field or an item, and so
 * does `null`, which `kubectl apply` does not pass on; `$patch: replace` takes the object instead of merging it. Another
 * source of a volume replaces the first.
 */
export function merge(base: JsonObject, patch: JsonObject): JsonObject {
  const { $patch: directive, ...fields } = patch
  const merged = new Map(Object.entries(directive === 'replace' ? {} : base))
  for (const [name, value] of Object.entries(fields)) {
    const present = merged.get(name)
    if (value === null || isRemoval(value)) merged.delete(name)
    else if (Array.isArray(value)) merged.set(name, mergeList(name, Array.isArray(present) ? present : [], value))
    else if (isJsonObject(value)) merged.set(name, merge(isJsonObject(present) ? present : {}, value))
    else merged.set(name, value)
  }
  return Object.fromEntries(merged)
}

const isRemoval = (value: unknown): boolean => isJsonObject(value) && value['$patch'] === 'delete'

function mergeList(name: string, base: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
  const key = itemNames[name]
  if (key === undefined || !patch.every(isJsonObject)) return patch
  const replaces = patch.some((item) => item['$patch'] === 'replace' && item[key] === undefined)
  const items = replaces ? [] : base.filter(isJsonObject)
  for (const item of patch) {
    if (item[key] === undefined) continue
    const at = items.findIndex((one) => one[key] === item[key])
    if (isRemoval(item)) items.splice(at, at < 0 ? 0 : 1)
    else items.splice(at < 0 ? items.length : at, 1, merge(at < 0 ? {} : mergeable(name, items[at]!, item), item))
  }
  return items
}

/** What of an item the patch is merged into: a volume has only one source. */
function mergeable(list: string, item: JsonObject, patch: JsonObject): JsonObject {
  const hasOtherSource = Object.keys(patch).some((field) => field !== '$patch' && !(field in item))
  return list === 'volumes' && hasOtherSource ? {} : item
}

/** Why a patch cannot be merged; empty if it can. */
export function mergeProblems(patch: unknown, path: string): readonly string[] {
  if (Array.isArray(patch)) {
    const key = itemNames[path.replace(/.*\./, '')]
    return patch.flatMap((item: unknown, index) => {
      const at = `${path}[${index}]`
      const isNamed =
        key === undefined || !isJsonObject(item) || item[key] !== undefined || item['$patch'] === 'replace'
      return [...(isNamed ? [] : [`${at} has no ${key}`]), ...mergeProblems(item, at)]
    })
  }
  if (!isJsonObject(patch)) return []
  return Object.entries(patch).flatMap(([name, value]) => {
    if (name === '$patch' && !['delete', 'replace', 'merge'].includes(String(value)))
      return [`${path}.$patch must be delete, replace or merge`]
    if (name.startsWith('$') && name !== '$patch') return [`${path} has the directive ${name}, which is not supported`]
    return mergeProblems(value, `${path}.${name}`)
  })
}
