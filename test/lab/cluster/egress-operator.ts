import { join } from 'node:path'
import type { Host } from '../hosts/host.ts'
import type { HostProcess } from '../hosts/process.ts'
import type { Cluster } from './cluster.ts'
import type { OperatorSettings } from './programs/egress-operator.ts'
import { account, proxyNamespace } from './proxy.ts'

/**
 * Starts a program that maintains the EndpointSlices and the readiness gate of an egress ProxyGroup, in a host of the
 * cluster's network; `retry` is in milliseconds, with the default of operators. The namespace must exist.
 */
export async function startEgressOperator(
  cluster: Cluster,
  host: Host,
  { group, retry = 5000 }: { readonly group: string; readonly retry?: number },
): Promise<HostProcess> {
  const rules = [
    { apiGroups: [''], resources: ['pods', 'secrets', 'services', 'configmaps'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['create', 'patch', 'delete'] },
  ]
  await cluster.apply(...account('egress-operator', rules))
  await cluster.actAs(host, proxyNamespace, 'egress-operator')
  const settings: OperatorSettings = { api: cluster.url.v4, group, retry }
  const program = join(import.meta.dirname, 'programs', 'egress-operator.ts')
  const env = { NODE_EXTRA_CA_CERTS: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' }
  const started = await host.spawn([process.execPath, program, JSON.stringify(settings)], { name: 'operator', env })
  await started.line(/^started$/)
  return started
}
