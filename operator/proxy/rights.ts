import type { KubeObject } from '../../kube/controller/object.ts'

/** A rule of a Role. */
export type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

const apiGroup = 'rbac.authorization.k8s.io'

/**
 * The service account of proxies, and what it may do: read and write the Secrets of these names, which exist before the
 * Pods do, and write Events. `metadata` is that of all these objects.
 */
export function rights(
  metadata: KubeObject['metadata'],
  secrets: readonly string[],
  more: readonly Rule[] = [],
): readonly KubeObject[] {
  const { name, namespace } = metadata
  const rules: readonly Rule[] = [
    // A rule without names would be for all Secrets.
    ...(secrets.length === 0
      ? []
      : [{ apiGroups: [''], resources: ['secrets'], resourceNames: secrets, verbs: ['get', 'update', 'patch'] }]),
    { apiGroups: [''], resources: ['events'], verbs: ['get', 'create', 'patch'] },
    ...more,
  ]
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: `${apiGroup}/v1`, kind: 'Role', metadata, rules },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
  ]
}
