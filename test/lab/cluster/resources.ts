/** A group of resources, as aggregated discovery lists it; the preferred version comes first. */
export type Discovered = {
  /** Without a name: the core group. */
  readonly metadata?: { readonly name?: string }
  readonly versions: readonly {
    readonly version: string
    readonly resources?: readonly {
      readonly resource: string
      readonly singularResource: string
      readonly shortNames?: readonly string[]
      readonly scope: 'Namespaced' | 'Cluster'
      readonly responseKind: { readonly kind: string }
    }[]
  }[]
}

/** A kind of objects, in one version. */
export type Resource = {
  readonly apiVersion: string
  readonly kind: string
  /** What kubectl accepts for it. */
  readonly names: readonly string[]
  /** The path of all in a namespace, or in all of them; that of all without namespaces. */
  readonly path: (namespace: string | undefined) => string
}

/** All kinds of some groups, in the order in which kubectl looks for a name. */
export function resourcesOf(groups: readonly Discovered[]): Resource[] {
  return groups.flatMap(({ metadata, versions }) =>
    versions.flatMap(({ version, resources = [] }) => {
      const group = metadata?.name ?? ''
      const apiVersion = group === '' ? version : `${group}/${version}`
      return resources.map(({ resource, singularResource, shortNames = [], scope, responseKind }) => {
        const names = [resource, singularResource, ...shortNames]
        return {
          apiVersion,
          kind: responseKind.kind,
          names: group === '' ? names : [...names, ...names.map((name) => `${name}.${group}`)],
          path: (namespace) => {
            const where = scope === 'Namespaced' && namespace !== undefined ? `namespaces/${namespace}/` : ''
            return `/${group === '' ? 'api' : 'apis'}/${apiVersion}/${where}${resource}`
          },
        }
      })
    }),
  )
}
