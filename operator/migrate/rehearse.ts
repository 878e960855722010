import type { Api } from '../../kube/controller/api.ts'
import { appliedBy } from '../../kube/controller/managed.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { apiVersionOf, type Resource } from '../../kube/controller/resource.ts'
import { isJsonObject, type JsonObject } from '../../lib/json.ts'
import { adopted, isAdoption } from '../proxy/adopt.ts'
import { manager } from '../world/followed.ts'

/** What an object is, and what it would become; at least one of them. */
export type Write = { readonly before: KubeObject | undefined; readonly after: KubeObject | undefined }

/** What a user would be told about an object. */
export type Told = { readonly about: string; readonly reason: string; readonly message: string }

/** What the operator would do in the cluster. */
export type Rehearsal = {
  readonly api: Api
  /** By object, the last write of each; what only says how an object stands is not among them. */
  readonly writes: ReadonlyMap<string, Write>
  readonly warnings: readonly Told[]
}

/**
 * Gives an API through which the operator can work as ever, and nothing changes. `dry`: an API whose writes are only
 * tried by the server.
 */
export function rehearse(dry: Api): Rehearsal {
  const writes = new Map<string, Write>()
  const warnings: Told[] = []
  /** Objects of Tailscale's operator, with the owners of their fields once they are ours. */
  const ours = new Map<string, KubeObject>()
  const idOf = (resource: Resource, name: Parameters<typeof keyOf>[0]): string =>
    `${apiVersionOf(resource)} ${resource.kind} ${keyOf(name)}`

  const patch: Api['patch'] = async (resource, name, asked, signal) => {
    const id = idOf(resource, name)
    const before = await dry.get(resource, name, signal)
    // How an object stands is said anew in any case, and after that.
    if (before !== undefined && asked.subresource !== undefined) return before
    if (before !== undefined && isAdoption(asked)) {
      const managedFields = adopted(before)
      ours.set(id, { ...before, metadata: { ...before.metadata, ...(managedFields && { managedFields }) } })
      return before
    }
    const mine = ours.get(id)
    const sent =
      mine !== undefined && asked.type === 'apply' && isJsonObject(asked.body)
        ? { type: 'json' as const, body: asTheOnlyOwner(mine, asked.body), manager, hidden: asked.hidden ?? [] }
        : asked
    const after = await dry.patch(resource, name, sent, signal)
    writes.set(id, { before, after })
    return after
  }

  return {
    writes,
    warnings,
    api: {
      ...dry,
      patch: async (resource, name, asked, signal) =>
        resource.kind === 'Event'
          ? { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: { name: name.name } }
          : patch(resource, name, asked, signal),
      create: async (resource, object, signal) => {
        if (resource.kind === 'Event') {
          if (object['type'] === 'Warning') warnings.push(toldBy(object))
          return object
        }
        const after = await dry.create(resource, object, signal)
        writes.set(idOf(resource, object.metadata), { before: undefined, after })
        return after
      },
      delete: async (resource, name, _how, signal) => {
        const before = await dry.get(resource, name, signal)
        writes.set(idOf(resource, name), { before, after: undefined })
        return before
      },
    },
  }
}

/**
 * A JSON patch that makes an object what it becomes when it is applied, after the fields of Tailscale's operator have become
 * ours: the API cannot try both together.
 */
function asTheOnlyOwner(mine: KubeObject, wanted: JsonObject): readonly object[] {
  const { apiVersion: _version, kind: _kind, metadata, ...fields } = wanted
  const view = appliedBy(manager, mine) ?? {}
  const gone = Object.keys(view).filter((name) => !(name in wanted) && name !== 'status')
  const ofMetadata = (['labels', 'annotations'] as const).map((name) => {
    const former = partOf(view['metadata'], name)
    const others = Object.entries(mine.metadata[name] ?? {}).filter(([key]) => !(key in former))
    return { op: 'add', path: `/metadata/${name}`, value: { ...Object.fromEntries(others), ...partOf(metadata, name) } }
  })
  const isDisowned = 'ownerReferences' in partOf(view, 'metadata') && !('ownerReferences' in partOf(wanted, 'metadata'))
  return [
    ...Object.entries(fields).map(([name, value]) => ({ op: 'add', path: `/${name}`, value })),
    ...gone.map((name) => ({ op: 'remove', path: `/${name}` })),
    ...ofMetadata,
    ...(isDisowned ? [{ op: 'remove', path: '/metadata/ownerReferences' }] : []),
  ]
}

function partOf(value: unknown, name: string): JsonObject {
  const part = isJsonObject(value) ? value[name] : undefined
  return isJsonObject(part) ? part : {}
}

function toldBy({ involvedObject, reason, message }: KubeObject): Told {
  const about = isJsonObject(involvedObject) ? involvedObject : {}
  const name = [about['namespace'], about['name']].filter(Boolean).map(String)
  return { about: `${String(about['kind'])} ${name.join('/')}`, reason: String(reason), message: String(message) }
}
