import { authorityClass, buildImages, installOperator } from '../../operator/e2e/install.ts'
import { startBed, startEcho } from '../bed.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { siteObjects } from '../cluster/ingress.ts'
import type { KubeObject } from '../cluster/kubectl.ts'
import { backendObjects, proxyNamespace } from '../cluster/proxy.ts'
import { domain } from '../control-server.ts'
import { byFamily } from './backend.ts'
import { further } from './further.ts'
import type { Variant } from './variant.ts'

/** The operator in a real cluster, and everything that it makes proxies for. */
export const cluster: Variant = {
  groups: ['cluster', 'image'],
  steps: 5,
  shows: 3,
  play: async ({ name, owned, started }, steps) => {
    const images = await steps.step('build the images of the agent and the operator', buildImages)
    const bed = await steps.step('start the tailnet and a Kubernetes cluster', async () => {
      const client = { network: 'wan', tailscaled: { up: ['--accept-routes'] } } as const
      const warehouse = { network: 'wan', tailscaled: true } as const
      return await startBed({ name, owned, acme: true, hosts: { client, warehouse }, cluster: { nodes: 1 } })
    })
    started(bed)
    const kube = bed.cluster
    await bed.control.putSettings({ autoApproveRoutes: true })
    await startEcho(bed.host('warehouse'))
    await steps.step('install the operator', () => installOperator(bed, images))
    const backend = await steps.step('start a backend and a site in the cluster', async () => {
      await kube.apply(...backendObjects('backend'), ...siteObjects('wiki'), ...(await authorityClass(bed, 'lab')))
      await Promise.all(['backend', 'wiki'].map((pod) => kube.wait(`pod/${pod}`, 'Ready')))
      const service = await kube.get<{ spec: { clusterIPs: string[] } }>('service', 'backend')
      return byFamily(service?.spec.clusterIPs ?? [])
    })
    await steps.step('ask for proxies, and wait until they are ready', async (note) => {
      await kube.kubectl([
        'annotate',
        'service',
        'backend',
        'tailscale.com/expose=true',
        'tailscale.com/hostname=backend',
      ])
      await kube.apply(...asking)
      for (const [object, condition] of ready) {
        note(object)
        await kube.waitFor(object, condition)
      }
    })
    const proxy = byFamily((await bed.control.node('backend')).addresses)
    return { bed, proxy, backend, further: further(bed), story: () => story(kube) }
  },
  look: (name) => [
    `kubectl --name ${name} -- get services,ingresses,connectors`,
    `kubectl --name ${name} -- describe service warehouse`,
    `kubectl --name ${name} -- get pods --all-namespaces`,
    `kubectl --name ${name} -- logs --namespace ${proxyNamespace} deployment/operator`,
    `events --name ${name}`,
    `exec --name ${name} client -- tailscale status`,
  ],
}

/** What asks for proxies besides the Service of the backend. */
const asking: readonly KubeObject[] = [
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'wiki', namespace: 'default', annotations: { 'tailscale.com/proxy-class': 'lab' } },
    spec: {
      ingressClassName: 'tailscale',
      tls: [{ hosts: ['wiki'] }],
      defaultBackend: { service: { name: 'wiki', port: { number: 80 } } },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'warehouse',
      namespace: 'default',
      annotations: { 'tailscale.com/tailnet-fqdn': `warehouse.${domain}` },
    },
    spec: { type: 'ExternalName', externalName: 'unused' },
  },
  {
    apiVersion: 'tailscale.com/v1alpha1',
    kind: 'Connector',
    metadata: { name: 'pods' },
    spec: { hostname: 'pods', subnetRouter: { advertiseRoutes: ['10.88.0.0/16'] } },
  },
]

const proxyReady = 'condition=TailscaleProxyReady'
const ready = [
  ['service/backend', proxyReady],
  ['service/warehouse', proxyReady],
  ['connector/pods', 'condition=ConnectorReady'],
  ['ingress/wiki', 'jsonpath={.status.loadBalancer.ingress}'],
] as const

/** What kubectl shows of all this. */
async function story(kube: Cluster): Promise<string> {
  const shown = [
    ['get', 'services,ingresses,connectors'],
    ['get', 'pods', `--namespace=${proxyNamespace}`],
  ]
  const texts = await Promise.all(
    shown.map(async (argv) => `$ kubectl ${argv.join(' ')}\n${(await kube.kubectl(argv)).stdout}`),
  )
  return texts.join('\n')
}
