import type { Rule } from '../../operator/proxy/rights.ts'
import type { Audited } from '../lab/cluster/audit.ts'
import type { KubeObject } from '../lab/cluster/kubectl.ts'

/** One verb on one kind of objects that a Role gives. */
export type Grant = {
  /** Of a Role; undefined: of a ClusterRole, which counts everywhere. */
  readonly namespace: string | undefined
  readonly verb: string
  readonly group: string
  readonly resource: string
  /** Only the object with this name. */
  readonly name: string | undefined
}

const rulesOf = (role: KubeObject): readonly Rule[] => (role['rules'] ?? []) as readonly Rule[]

/** What Roles and ClusterRoles give, each verb by itself. */
export const grantsOf = (objects: readonly KubeObject[]): readonly Grant[] =>
  objects
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')
    .flatMap((role) =>
      rulesOf(role).flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) =>
            verbs.flatMap((verb) =>
              (resourceNames ?? [undefined]).map((name) => {
                const namespace = role.kind === 'Role' ? role.metadata.namespace : undefined
                return { namespace, verb, group, resource, name }
              }),
            ),
          ),
        ),
      ),
    )

type Use = Pick<Audited, 'verb' | 'group' | 'resource' | 'namespace' | 'name'>

/**
 * The grants that nothing has used. A request in a namespace uses the grants of Roles there before those of
 * ClusterRoles, so that what a Role gives once more is found. `made`: Roles that the operator has made, for which it
 * needs what they give.
 */
export function unused(
  grants: readonly Grant[],
  requests: readonly Audited[],
  made: readonly KubeObject[],
): readonly Grant[] {
  const used = new Set<Grant>()
  const uses: readonly Use[] = [
    ...requests.flatMap((one) =>
      one.code === 201 && one.verb === 'patch' ? [one, { ...one, verb: 'create' }] : [one],
    ),
    ...grantsOf(made),
  ]
  for (const use of uses) {
    const all = grants.filter((grant) => covers(grant, use))
    const within = all.filter(({ namespace }) => namespace !== undefined)
    for (const grant of within.length > 0 ? within : all) used.add(grant)
  }
  return grants.filter((grant) => !used.has(grant))
}

const covers = (grant: Grant, use: Use): boolean =>
  grant.verb === use.verb &&
  grant.group === use.group &&
  grant.resource === use.resource &&
  (grant.name === undefined || grant.name === use.name) &&
  (grant.namespace === undefined || grant.namespace === use.namespace)

/** In words: `get+list secrets in tailscale`. */
export function inWords(grants: readonly Grant[]): readonly string[] {
  const verbs = Map.groupBy(grants, ({ namespace, group, resource, name }) => {
    const what = `${resource}${group === '' ? '' : `.${group}`}${name === undefined ? '' : ` "${name}"`}`
    return `${what} ${namespace === undefined ? 'everywhere' : `in ${namespace}`}`
  })
  return [...verbs].map(([what, all]) => `${all.map(({ verb }) => verb).join('+')} ${what}`)
}
