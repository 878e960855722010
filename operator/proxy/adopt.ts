import type { Api, Patch } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import { appliedBy } from '../../kube/controller/managed.ts'
import { keyOf, type KubeObject, type ManagedFields } from '../../kube/controller/object.ts'
import { apiVersionOf, type Resource } from '../../kube/controller/resource.ts'
import type { Caches } from '../world/caches.ts'
import { manager } from '../world/followed.ts'

/** The field manager of Tailscale's operator. */
const predecessor = 'operator'

/**
 * Gives an `apply` that first makes those fields ours that Tailscale's operator has set on an object. Otherwise they
 * would stay beside our own: its variables, volumes and privileges.
 */
export function adopting(
  api: Pick<Api, 'get' | 'patch'>,
  { written }: Pick<Caches, 'written'>,
  apply: Applier['apply'],
): Applier['apply'] {
  return async (object, flight, options) => {
    const { apiVersion, kind, metadata } = object
    const found = written.find(({ resource }) => resource.kind === kind && apiVersionOf(resource) === apiVersion)
    const cached = found?.store.get(keyOf(metadata))
    const isOurs = cached !== undefined && options?.owns?.(cached) === true
    // The state in a Secret must never go; and what it has besides its config is not mounted.
    if (found !== undefined && isOurs && kind !== 'Secret' && appliedBy(manager, cached) === undefined)
      // The cache does not keep what other managers have set.
      await adopt(api, found.resource, await api.get(found.resource, metadata, flight.signal), flight)
    return apply(object, flight, options)
  }
}

/**
 * The owners of an object's fields once those that Tailscale's operator has set are ours; undefined if it has set none
 * of them.
 */
export function adopted({ metadata }: KubeObject): readonly ManagedFields[] | undefined {
  const fields = metadata.managedFields ?? []
  const isTheirs = ({ manager: by, operation, subresource }: ManagedFields): boolean =>
    by === predecessor && operation === 'Update' && !subresource
  const last = fields.findLast(isTheirs)
  return last && [{ ...last, manager, operation: 'Apply' }, ...fields.filter((entry) => !isTheirs(entry))]
}

const owners = '/metadata/managedFields'

/** Whether a patch is one of those by which fields become ours. */
export const isAdoption = ({ type, body }: Pick<Patch, 'type' | 'body'>): boolean =>
  type === 'json' && Array.isArray(body) && body.some(({ path }: { readonly path?: unknown }) => path === owners)

async function adopt(
  api: Pick<Api, 'patch'>,
  resource: Resource,
  present: KubeObject | undefined,
  { signal }: Flight,
): Promise<void> {
  const value = present && adopted(present)
  if (present === undefined || value === undefined) return
  const body = [
    { op: 'test', path: '/metadata/resourceVersion', value: present.metadata.resourceVersion },
    { op: 'replace', path: owners, value },
  ]
  await api.patch(resource, present.metadata, { type: 'json', body, manager }, signal)
}
