import { group, leaseOf } from '../objects/names.ts'
import type { Rule } from '../proxy/rights.ts'
import type { OperatorSettings } from '../settings/settings.ts'

const follow = ['list', 'watch']
const change = [...follow, 'patch']
const make = ['get', 'create', 'patch', 'delete']
const keep = [...make, ...follow]

const rule = (apiGroup: string, resources: readonly string[], verbs: readonly string[]): Rule => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
})

const leasesOf = (resourceNames: readonly string[]): Rule => ({
  ...rule('coordination.k8s.io', ['leases'], ['get', ...change, 'create']),
  resourceNames,
})

const networking = 'networking.k8s.io'
const changed = ['connectors', 'proxyclasses', 'proxygroups', 'recorders', 'dnsconfigs', 'tailnets']
const reported = ['peerrelays']

const writesEvents = rule('', ['events'], ['create', 'patch'])

/** What it needs where objects of users are: in all namespaces, or in each of those that it is for. */
export const rulesForObjects: readonly Rule[] = [
  rule('', ['services'], change),
  rule(networking, ['ingresses'], change),
  rule('', ['services/status'], ['patch']),
  rule(networking, ['ingresses/status'], ['patch']),
  rule(group, ['proxygrouppolicies'], follow),
  rule(group, ['proxygrouppolicies/status'], ['patch']),
  rule('discovery.k8s.io', ['endpointslices'], follow),
  writesEvents,
]

/** What it needs of objects without a namespace. `namespace`: its own. */
export const rulesOfCluster = (namespace: string, shards = 1): readonly Rule[] => [
  rule(networking, ['ingressclasses'], follow),
  rule(group, changed, change),
  rule(group, reported, follow),
  rule(
    group,
    [...changed, ...reported].map((plural) => `${plural}/status`),
    ['patch'],
  ),
  { ...rule('', ['namespaces'], ['get', ...follow]), resourceNames: [namespace] },
  { ...rule('', ['namespaces'], ['get']), resourceNames: ['kube-system'] },
  ...(shards > 1 ? [rule('', ['namespaces'], ['list'])] : []),
  rule('', ['nodes'], follow),
  {
    ...rule('apiextensions.k8s.io', ['customresourcedefinitions'], follow),
    resourceNames: ['servicemonitors.monitoring.coreos.com'],
  },
]

/** What it needs in its own namespace: the Role of its manifest. */
export const rulesInside = (shards = 1): readonly Rule[] => [
  rule('', ['secrets'], [...keep, 'update']),
  rule('', ['services'], make),
  rule('discovery.k8s.io', ['endpointslices'], make),
  rule('', ['serviceaccounts', 'configmaps'], keep),
  rule('apps', ['statefulsets'], keep),
  rule('rbac.authorization.k8s.io', ['roles', 'rolebindings'], keep),
  rule('policy', ['poddisruptionbudgets'], keep),
  rule(networking, ['networkpolicies'], keep),
  rule('', ['pods'], ['get', ...change, 'delete']),
  rule('', ['pods/status'], ['patch']),
  rule('monitoring.coreos.com', ['servicemonitors'], keep),
  rule('', ['events'], ['get', 'list']),
  leasesOf([leaseOf(0)]),
  ...(shards > 1 ? [leasesOf(Array.from({ length: shards - 1 }, (_, index) => leaseOf(index + 1)))] : []),
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

type AccessSettings = Pick<OperatorSettings, 'namespace' | 'namespaces' | 'shards'>

/** Everything that the operator does, in all namespaces or in those of its settings. */
export const accesses = ({ namespace, namespaces, shards }: AccessSettings) => [
  ...(namespaces.length === 0 ? [undefined] : namespaces).flatMap((one) =>
    rulesForObjects.flatMap((each) => accessesOf(each, one)),
  ),
  // Events about objects without a namespace.
  ...(namespaces.length === 0 || namespaces.includes('default') ? [] : accessesOf(writesEvents, 'default')),
  ...rulesOfCluster(namespace, shards).flatMap((one) => accessesOf(one)),
  ...rulesInside(shards).flatMap((one) => accessesOf(one, namespace)),
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
