import type { KubeObject } from '../lab/cluster/kubectl.ts'

const rbac = 'rbac.authorization.k8s.io'

export const role = (kind: 'Role' | 'ClusterRole', name: string, rules: readonly object[]): KubeObject => ({
  apiVersion: `${rbac}/v1`,
  kind,
  metadata: { name },
  rules,
})

/** Gives a subject the rights of a ClusterRole in the whole cluster, or those of a Role in its namespace. */
export const binding = (
  name: string,
  roleName: string,
  subject: object,
  kind: 'Role' | 'ClusterRole' = 'ClusterRole',
): KubeObject => ({
  apiVersion: `${rbac}/v1`,
  kind: `${kind}Binding`,
  metadata: { name },
  roleRef: { apiGroup: rbac, kind, name: roleName },
  subjects: [subject],
})

export const group = (name: string) => ({ kind: 'Group', apiGroup: rbac, name })

/** Of the namespace `default`. */
export const serviceAccount = (name: string) => ({ kind: 'ServiceAccount', namespace: 'default', name })
