import type { ProxyRequest } from '../../../operator/proxy/request.ts'
import type { OperatorSettings } from '../../../operator/settings/settings.ts'

export const settings: OperatorSettings = {
  namespace: 'tailscale',
  namespaces: [],
  clusterDomain: 'cluster.local',
  loginServer: 'https://controlplane.tailscale.com',
  ingressClass: 'tailscale',
  isDefaultLoadBalancer: false,
  proxyImage: 'example.com/agent:1',
  apiServerImage: 'example.com/apiserver:1',
  apiServerProxy: undefined,
  recorderImage: 'example.com/recorder:1',
  agent: 'culvert',
  proxyTags: ['tag:k8s'],
  firewallMode: '',
  priorityClass: '',
  defaultProxyClass: '',
  operatorId: '',
  operatorSecret: '',
  sharesAcmeAccount: false,
  concurrency: 4,
  shards: 1,
}

/** L3 ingress in the kernel. */
export const request: ProxyRequest = {
  type: 'svc',
  app: 'k8s-operator-ingress-proxy',
  hostnames: ['prod-web'],
  tags: [],
  mode: 'kernel',
  variables: [{ name: 'TS_DEST_IP', value: '10.96.0.100,fd00:96::100' }],
  device: {},
  serveConfig: undefined,
  proxyClass: undefined,
  metrics: 'ingress_service',
  ownOptions: [],
}
