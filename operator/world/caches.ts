import type { Api } from '../../kube/controller/api.ts'
import type { Written } from '../../kube/controller/apply.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { reflect, type ReflectOptions, type Source } from '../../kube/controller/reflect.ts'
import { apiVersionOf, type Resource } from '../../kube/controller/resource.ts'
import { type Store, store } from '../../kube/controller/store.ts'
import { KubeError } from '../../kube/error.ts'
import { group } from '../objects/names.ts'
import { customResourceDefinitions } from '../objects/resources.ts'
import { followed } from './followed.ts'
import type { World } from './world.ts'

export type Caches = {
  readonly world: World
  readonly store: (resource: Resource) => Store
  /**
   * What keeps the stores of these resources as the cluster is, or all stores; without what is not followed yet. Those
   * of some resources are for controllers: they are not synced before this process may act.
   */
  readonly sources: (resources?: readonly Resource[]) => readonly Source[]
  /** For `applier`. */
  readonly written: readonly Written[]
}

export type CachesOptions = {
  readonly namespace: string
  /** Called with the reason why the objects of `name` cannot be followed, and with undefined once they can. */
  readonly problem: (name: string, text: string | undefined) => void
  readonly failed: (error: unknown, key: string) => void
  readonly waits?: ReflectOptions['waits']
  /**
   * Resolves when this process may act. Everything is then listed anew, since others have acted until that moment, and
   * watches are a little behind. Undefined: it may from the start.
   */
  readonly elected?: Promise<void> | undefined
  /** How objects are seen, if not as they are. */
  readonly view?: ((object: KubeObject) => KubeObject) | undefined
}

/** Follows everything that the operator knows of the cluster, until `signal` aborts. */
export function caches(
  api: Pick<Api, 'page' | 'watch'>,
  { namespace, problem, failed, waits, elected, view = (object) => object }: CachesOptions,
  signal: AbortSignal,
): Caches {
  const stores = followed(namespace).map((one) => ({ ...one, store: store({ indexes: one.indexes, failed }) }))
  const byName = new Map(stores.map((one) => [idOf(one.resource), one]))
  const find = (resource: Resource): (typeof stores)[number] => {
    const found = byName.get(idOf(resource))
    if (found === undefined) throw new Error(`${resource.plural} are not followed`)
    return found
  }
  const running = new Map<string, Source>()
  const forControllers = new Map<string, Source>()
  const start = ({ resource, scope, trim, store: kept }: (typeof stores)[number]): void => {
    const tell = (text: string | undefined, error?: unknown): void =>
      problem(resource.plural, text === undefined ? undefined : (undefinedKind(resource, error) ?? text))
    const options = {
      resource,
      scope,
      store: kept,
      trim: (object: KubeObject) => view(trim(object)),
      problem: tell,
      ...(waits && { waits }),
    }
    if (running.has(idOf(resource))) return
    const source = reflect(api, options, signal)
    running.set(idOf(resource), source)
    forControllers.set(idOf(resource), { ...source, synced: elected?.then(source.refresh) ?? source.synced })
  }
  for (const one of stores) {
    if (one.needs === undefined) start(one)
    else find(customResourceDefinitions).store.listen(({ key, after }) => after && key === one.needs && start(one))
  }
  return {
    world: {
      get: (resource, key) => find(resource).store.get(key),
      all: (resource) => find(resource).store.all(),
      by: (resource, index, value) => find(resource).store.by(index, value),
    },
    store: (resource) => find(resource).store,
    sources: (resources) =>
      resources === undefined
        ? [...running.values()]
        : resources.flatMap((one) => forControllers.get(idOf(find(one).resource)) ?? []),
    written: stores,
  }
}

/** Of a kind of Tailscale that the cluster does not have. */
function undefinedKind(resource: Resource, error: unknown): string | undefined {
  if (resource.group !== group || !(error instanceof KubeError) || error.status !== 404) return undefined
  const definition = `${resource.plural}.${resource.group}`
  return `there is no CustomResourceDefinition "${definition}". Apply the files of operator/crds.`
}

const idOf = (resource: Resource): string => `${apiVersionOf(resource)} ${resource.kind}`
