import type { Resource } from '../../kube/controller/resource.ts'
import { group, version } from './names.ts'

const core = (kind: string, plural: string): Resource => ({ group: '', version: 'v1', kind, plural, namespaced: true })
const of = (apiGroup: string, kind: string, plural: string): Resource => ({
  group: apiGroup,
  version: 'v1',
  kind,
  plural,
  namespaced: true,
})
const clusterWide = (resource: Resource): Resource => ({ ...resource, namespaced: false })
const custom = (kind: string, plural: string): Resource => ({ group, version, kind, plural, namespaced: false })

export const services = core('Service', 'services')
export const secrets = core('Secret', 'secrets')
export const serviceAccounts = core('ServiceAccount', 'serviceaccounts')
export const pods = core('Pod', 'pods')
export const configMaps = core('ConfigMap', 'configmaps')
export const nodes = clusterWide(core('Node', 'nodes'))
export const events = core('Event', 'events')
export const namespaces = clusterWide(core('Namespace', 'namespaces'))
export const statefulSets = of('apps', 'StatefulSet', 'statefulsets')
export const deployments = of('apps', 'Deployment', 'deployments')
export const roles = of('rbac.authorization.k8s.io', 'Role', 'roles')
export const roleBindings = of('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings')
export const ingresses = of('networking.k8s.io', 'Ingress', 'ingresses')
export const ingressClasses = clusterWide(of('networking.k8s.io', 'IngressClass', 'ingressclasses'))
export const endpointSlices = of('discovery.k8s.io', 'EndpointSlice', 'endpointslices')
export const podDisruptionBudgets = of('policy', 'PodDisruptionBudget', 'poddisruptionbudgets')
export const networkPolicies = of('networking.k8s.io', 'NetworkPolicy', 'networkpolicies')
export const serviceMonitors = of('monitoring.coreos.com', 'ServiceMonitor', 'servicemonitors')
export const customResourceDefinitions = clusterWide(
  of('apiextensions.k8s.io', 'CustomResourceDefinition', 'customresourcedefinitions'),
)

export const connectors = custom('Connector', 'connectors')
export const proxyClasses = custom('ProxyClass', 'proxyclasses')
export const proxyGroups = custom('ProxyGroup', 'proxygroups')
export const recorders = custom('Recorder', 'recorders')
export const dnsConfigs = custom('DNSConfig', 'dnsconfigs')
export const tailnets = custom('Tailnet', 'tailnets')
export const peerRelays = custom('PeerRelay', 'peerrelays')
export const proxyGroupPolicies: Resource = { ...custom('ProxyGroupPolicy', 'proxygrouppolicies'), namespaced: true }
