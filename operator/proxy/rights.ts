import type { KubeObject } from '../../kube/controller/object.ts'
import type { Account } from './request.ts'

/** A rule of a Role. */
export type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

const apiGroup = 'rbac.authorization.k8s.io'

/** Service accounts as a RoleBinding has them, each once. */
export const accountSubjects = (names: readonly string[], namespace: string | undefined): readonly object[] =>
  [...new Set(names)].map((name) => ({ kind: 'ServiceAccount', name, namespace }))

/**
 * The service account of proxies, and what it may do: read and write the Secrets of these names, which exist before the
 * Pods do, and write Events. `metadata` is that of all these objects; `account`: another one that may do the same, and
 * that is not made here; `own`: how the one that is made is called and annotated, if not as the rest.
 */
export function rights(
  metadata: KubeObject['metadata'],
  secrets: readonly string[],
  {
    more = [],
    account,
    own,
  }: {
    readonly more?: readonly Rule[]
    readonly account?: string | undefined
    readonly own?: Account | undefined
  } = {},
): readonly KubeObject[] {
  const { name, namespace } = metadata
  const made = own?.name ?? name
  const rules: readonly Rule[] = [
    // A rule without names would be for all Secrets.
    ...(secrets.length === 0
      ? []
      : [{ apiGroups: [''], resources: ['secrets'], resourceNames: secrets, verbs: ['get', 'update', 'patch'] }]),
    { apiGroups: [''], resources: ['events'], verbs: ['get', 'create', 'patch'] },
    ...more,
  ]
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...metadata, ...own } },
    { apiVersion: `${apiGroup}/v1`, kind: 'Role', metadata, rules },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'Role', name },
      // Its own as well: Pods of before may still run as that.
      subjects: accountSubjects([made, account ?? made], namespace),
    },
  ]
}
