import { group } from '../objects/names.ts'
import type { Rule } from '../proxy/rights.ts'

const follow = ['get', 'list', 'watch']
const change = [...follow, 'patch']
const keep = [...follow, 'create', 'patch', 'delete']

const rule = (apiGroup: string, resources: readonly string[], verbs: readonly string[]): Rule => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
})

const networking = 'networking.k8s.io'
const changed = ['connectors', 'proxyclasses', 'proxygroups', 'dnsconfigs', 'tailnets']
const reported = ['recorders', 'peerrelays', 'proxygrouppolicies']

/** What the operator needs in all namespaces: the ClusterRole of its manifest. `namespace`: its own. */
export const rulesEverywhere = (namespace: string): readonly Rule[] => [
  rule('', ['services'], change),
  rule(networking, ['ingresses'], change),
  rule('', ['services/status'], ['patch']),
  rule(networking, ['ingresses/status'], ['patch']),
  rule(networking, ['ingressclasses'], follow),
  rule(group, changed, change),
  rule(group, reported, follow),
  rule(
    group,
    [...changed, ...reported].map((plural) => `${plural}/status`),
    ['patch'],
  ),
  rule('', ['events'], ['create', 'patch']),
  rule('discovery.k8s.io', ['endpointslices'], follow),
  { ...rule('', ['namespaces'], follow), resourceNames: [namespace] },
  { ...rule('', ['namespaces'], ['get']), resourceNames: ['kube-system'] },
  rule('', ['nodes'], follow),
  {
    ...rule('apiextensions.k8s.io', ['customresourcedefinitions'], follow),
    resourceNames: ['servicemonitors.monitoring.coreos.com'],
  },
]

/** What it needs in its own namespace: the Role of its manifest. */
export const rulesInside: readonly Rule[] = [
  rule('', ['secrets'], [...keep, 'update']),
  rule('', ['services', 'serviceaccounts', 'configmaps'], keep),
  rule('apps', ['statefulsets'], keep),
  rule('rbac.authorization.k8s.io', ['roles', 'rolebindings'], keep),
  rule('policy', ['poddisruptionbudgets'], keep),
  rule(networking, ['networkpolicies'], keep),
  rule('', ['pods'], [...change, 'delete']),
  rule('', ['pods/status'], ['patch']),
  rule('discovery.k8s.io', ['endpointslices'], keep),
  rule('monitoring.coreos.com', ['servicemonitors'], keep),
  rule('', ['events'], ['get', 'list', 'create', 'patch']),
  { ...rule('coordination.k8s.io', ['leases'], [...change, 'create']), resourceNames: ['culvert-operator'] },
]

/** One thing that the operator does, as a SelfSubjectAccessReview names it. */
export type Access = {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource?: string
  readonly name?: string
  /** In all namespaces if it is not set. */
  readonly namespace?: string
}

/** Everything that the operator does. */
export const accesses = (namespace: string): readonly Access[] => [
  ...rulesEverywhere(namespace).flatMap((one) => accessesOf(one)),
  ...rulesInside.flatMap((one) => accessesOf(one, namespace)),
]

const accessesOf = ({ apiGroups, resources, resourceNames, verbs }: Rule, namespace?: string): Access[] =>
  apiGroups.flatMap((apiGroup) =>
    resources.flatMap((path) =>
      verbs.flatMap((verb) =>
        (resourceNames ?? [undefined]).map((name) => {
          const [resource = '', subresource] = path.split('/')
          const within = { ...(name !== undefined && { name }), ...(namespace !== undefined && { namespace }) }
          return { verb, group: apiGroup, resource, ...(subresource !== undefined && { subresource }), ...within }
        }),
      ),
    ),
  )
