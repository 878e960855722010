import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../../kube/controller/object.ts'

/** Objects of all our kinds. */
export const examples = (): KubeObject[] =>
  parseAllDocuments(readFileSync(join(import.meta.dirname, 'examples.yaml'), 'utf8')).map(
    (document) => document.toJS() as KubeObject,
  )

/** Specs that are refused, and a part of the reason. */
export const refused: readonly (readonly [kind: string, spec: object, reason: string])[] = [
  ['Connector', {}, 'a Connector needs at least one of'],
  ['Connector', { exitNode: false }, 'a Connector needs at least one of'],
  ['Connector', { exitNode: true, appConnector: {} }, 'appConnector cannot be together with'],
  ['Connector', { appConnector: {}, subnetRouter: { advertiseRoutes: ['10.0.0.0/8'] } }, 'appConnector cannot be'],
  ['Connector', { exitNode: true, hostname: 'ab', replicas: 2 }, 'with more replicas, use hostnamePrefix'],
  ['Connector', { exitNode: true, hostname: 'ab', hostnamePrefix: 'b' }, 'cannot be together'],
  ['Connector', { exitNode: true, hostname: 'a' }, 'spec.hostname'],
  ['Connector', { exitNode: true, hostname: 'Office' }, 'spec.hostname'],
  ['Connector', { exitNode: true, replicas: -1 }, 'spec.replicas'],
  ['Connector', { exitNode: true, tags: ['k8s'] }, 'spec.tags[0]'],
  ['Connector', { subnetRouter: { advertiseRoutes: [] } }, 'spec.subnetRouter.advertiseRoutes'],
  ['Connector', { appConnector: { routes: [] } }, 'spec.appConnector.routes'],
  ['ProxyClass', { metrics: { enable: false, serviceMonitor: { enable: true } } }, 'a ServiceMonitor needs metrics'],
  ['ProxyClass', { statefulSet: { labels: { a: '-' } } }, 'spec.statefulSet.labels.a'],
  ['ProxyClass', { statefulSet: { pod: { tailscaleContainer: { env: [{ name: '1A' }] } } } }, 'env[0].name'],
  ['ProxyClass', { statefulSet: { pod: { dnsPolicy: 'Any' } } }, 'spec.statefulSet.pod.dnsPolicy'],
  ['ProxyClass', { staticEndpoints: {} }, 'set either nodePort or loadBalancer'],
  ['ProxyClass', { staticEndpoints: { nodePort: { ports: [] } } }, 'spec.staticEndpoints.nodePort.ports'],
  ['ProxyClass', { staticEndpoints: { nodePort: { ports: [{ port: 70_000 }] } } }, 'ports[0].port'],
  ['ProxyGroup', { type: 'both' }, 'spec.type'],
  ['ProxyGroup', {}, 'spec.type'],
  ['ProxyGroup', { type: 'kube-apiserver', kubeAPIServer: { hostname: 'a-' } }, 'spec.kubeAPIServer.hostname'],
  ['Recorder', { replicas: 2, enableUI: true }, 'more than one replica needs storage.s3'],
  ['Recorder', { statefulSet: { pod: { serviceAccount: { name: 'A' } } } }, 'serviceAccount.name'],
  ['DNSConfig', {}, 'spec.nameserver'],
  ['DNSConfig', { nameserver: { replicas: -1 } }, 'spec.nameserver.replicas'],
  ['Tailnet', { credentials: {} }, 'spec.credentials.secretName'],
  ['PeerRelay', { service: { port: 0 } }, 'spec.service.port'],
  ['PeerRelay', { staticEndpoints: ['203.0.113.7'] }, 'spec.staticEndpoints[0]'],
  [
    'PeerRelay',
    { replicas: 2, aws: { elasticIPs: [{ allocationID: 'eipalloc-1', subnetID: 'subnet-1' }] } },
    'an entry for each replica',
  ],
  ['PeerRelay', { aws: { elasticIPs: [{ allocationID: 'x', subnetID: 'subnet-1' }] } }, 'elasticIPs[0].allocationID'],
]
