import type { Api } from '../../kube/controller/api.ts'
import type { Written } from '../../kube/controller/apply.ts'
import { type KubeObject, nameOf } from '../../kube/controller/object.ts'
import { together, within } from '../../kube/controller/namespaces.ts'
import { reflect, type ReflectOptions, type Source } from '../../kube/controller/reflect.ts'
import { allInWords, apiVersionOf, type Resource, type Scope } from '../../kube/controller/resource.ts'
import { type Store, store } from '../../kube/controller/store.ts'
import { KubeError } from '../../kube/error.ts'
import { group } from '../objects/names.ts'
import { customResourceDefinitions } from '../objects/resources.ts'
import { followed, scopesOf } from './followed.ts'
import type { World } from './world.ts'

export type Caches = {
  readonly world: World
  readonly store: (resource: Resource) => Store
  /** What keeps the stores of these resources as the cluster is, or all stores; without what is not followed yet. */
  readonly sources: (resources?: readonly Resource[]) => readonly Source[]
  /**
   * The same for controllers that may act when `elected` resolves: their sources are not synced before. Everything is
   * then listed anew, since others have acted until that moment, and watches are a little behind. Undefined: they may
   * from the start.
   */
  readonly since: (elected: Promise<void> | undefined) => Caches
  /** For `applier`. */
  readonly written: readonly Written[]
}

/** After so many milliseconds it is looked at again whether something is followed by now, since no event tells. */
export const unseenMs = 60_000

export type CachesOptions = {
  readonly namespace: string
  /** As those of the settings. */
  readonly namespaces: readonly string[]
  /** Called with the reason why the objects of `name` cannot be followed, and with undefined once they can. */
  readonly problem: (name: string, text: string | undefined) => void
  readonly failed: (error: unknown, key: string) => void
  readonly waits?: ReflectOptions['waits']
  /** How objects are seen, if not as they are. */
  readonly view?: ((object: KubeObject) => KubeObject) | undefined
}

/** Follows everything that the operator knows of the cluster, until `signal` aborts. */
export function caches(
  api: Pick<Api, 'page' | 'watch'>,
  { namespace, namespaces, problem, failed, waits, view = (object) => object }: CachesOptions,
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
  /** Of resources in one of several namespaces: whether they may not be read. */
  const parts: { readonly namespace: string | undefined; readonly isClosed: () => boolean }[] = []
  const startIn = (one: (typeof stores)[number], scope: Scope, isPart: boolean): Source => {
    const { resource, trim, store: kept } = one
    const name = isPart ? allInWords(resource, scope) : resource.plural
    const tell = (text: string | undefined, error?: unknown): void =>
      problem(name, text === undefined ? undefined : (undefinedKind(resource, error) ?? text))
    const follow = (told: ReflectOptions['problem']): Source => {
      const options = {
        resource,
        scope,
        store: isPart ? within(kept, scope.namespace ?? '') : kept,
        trim: (object: KubeObject) => view(trim(object)),
        problem: told,
        ...(waits && { waits }),
      }
      return reflect(api, options, signal)
    }
    if (!isPart) return follow(tell)
    const { isClosed, ...source } = unlessRefused(follow, tell)
    parts.push({ namespace: scope.namespace, isClosed })
    return source
  }
  const start = (one: (typeof stores)[number]): void => {
    const { resource } = one
    if (running.has(idOf(resource))) return
    const scopes = scopesOf(one, namespaces)
    const source = together(
      resource.plural,
      scopes.map((scope) => startIn(one, scope, scopes.length > 1)),
    )
    running.set(idOf(resource), source)
  }
  for (const one of stores) {
    if (one.needs === undefined) start(one)
    else find(customResourceDefinitions).store.listen(({ key, after }) => after && key === one.needs && start(one))
  }
  const sourcesOf =
    (synced: ReadonlyMap<string, Source>): Caches['sources'] =>
    (resources) =>
      resources === undefined
        ? [...running.values()]
        : resources.flatMap((one) => synced.get(idOf(find(one).resource)) ?? [])
  const all: Caches = {
    world: {
      get: (resource, key) => find(resource).store.get(key),
      all: (resource) => find(resource).store.all(),
      by: (resource, index, value) => find(resource).store.by(index, value),
      follows: (key) => {
        const { namespace: of } = nameOf(key)
        if (of === undefined) return true
        const isOurs = namespaces.length === 0 || namespaces.includes(of)
        return isOurs && !parts.some((part) => part.namespace === of && part.isClosed())
      },
    },
    store: (resource) => find(resource).store,
    sources: sourcesOf(running),
    since: (elected) => {
      if (elected === undefined) return all
      const renewed = new Map(
        [...running].map(([id, source]) => [id, { ...source, synced: elected.then(source.refresh) }]),
      )
      return { ...all, sources: sourcesOf(renewed) }
    },
    written: stores,
  }
  return all
}

/**
 * A source that keeps nobody waiting while the API refuses it. `isClosed`: it was refused and is not well again, so that
 * what its store has says nothing.
 */
function unlessRefused(
  follow: (told: ReflectOptions['problem']) => Source,
  tell: ReflectOptions['problem'],
): Source & { readonly isClosed: () => boolean } {
  let refused = Promise.withResolvers<void>()
  let isClosed = false
  const source = follow((text, error) => {
    const isRefusal = error instanceof KubeError && error.status === 403
    // Any other failure does not open it.
    const isClosedNow = text !== undefined && (isClosed || isRefusal)
    if (isClosedNow) refused.resolve()
    else if (isClosed) refused = Promise.withResolvers()
    isClosed = isClosedNow
    tell(text, error)
  })
  return {
    ...source,
    synced: Promise.race([source.synced, refused.promise]),
    isSynced: () => isClosed || source.isSynced(),
    isDeaf: () => !isClosed && source.isDeaf(),
    refresh: () => Promise.race([source.refresh(), refused.promise]),
    isClosed: () => isClosed,
  }
}

/** Of a kind of Tailscale that the cluster does not have. */
function undefinedKind(resource: Resource, error: unknown): string | undefined {
  if (resource.group !== group || !(error instanceof KubeError) || error.status !== 404) return undefined
  const definition = `${resource.plural}.${resource.group}`
  return `there is no CustomResourceDefinition "${definition}". Apply the files of operator/crds.`
}

const idOf = (resource: Resource): string => `${apiVersionOf(resource)} ${resource.kind}`
