import { isIPv6 } from 'node:net'
import { startBed } from '../bed.ts'
import { backendObjects, proxyBase, proxyNamespace, proxyObjects } from '../cluster/proxy.ts'
import { buildImage } from '../images/image.ts'
import { both } from './backend.ts'
import type { Variant } from './variant.ts'

/** The agent as a Pod, as an operator makes it, in front of a Service of a real cluster. */
export const cluster: Variant = {
  groups: ['cluster', 'image'],
  steps: 5,
  play: async ({ name, owned, started }, steps) => {
    const image = await steps.step("build the agent's image", buildImage)
    const bed = await steps.step('start the tailnet and a Kubernetes cluster', () =>
      startBed({ name, owned, hosts: { client: { network: 'wan', tailscaled: true } }, cluster: { nodes: 1 } }),
    )
    started(bed)
    const kube = bed.cluster
    await steps.step('import the image', () => kube.importImage(image.archive))
    const backend = await steps.step('start a backend Pod and its Service', async () => {
      await kube.apply(...backendObjects('backend'), ...proxyBase())
      await kube.wait('pod/backend', 'Ready')
      const service = await kube.get<{ spec: { clusterIPs: string[] } }>('service', 'backend')
      return byFamily(service?.spec.clusterIPs ?? [])
    })
    const proxy = await steps.step('start the agent as a Pod in front of it', async (note) => {
      const authKey = await bed.authKey()
      const env = { TS_DEST_IP: `${backend.v4},${backend.v6}` }
      const probe = { exec: { command: ['culvert', 'ready'] }, periodSeconds: 1, timeoutSeconds: 5 }
      const container = { readinessProbe: probe }
      await kube.apply(...proxyObjects({ name: 'proxy', image: image.reference, authKey, env, container }))
      note('waiting until it is ready')
      await kube.waitFor('pod/proxy-0', 'create', { namespace: proxyNamespace })
      await kube.wait('pod/proxy-0', 'Ready', { namespace: proxyNamespace })
      return byFamily((await bed.control.node('proxy-0')).addresses)
    })
    return { bed, proxy, backend }
  },
  look: (name) => [
    `kubectl --name ${name} -- get pods,services --all-namespaces`,
    `kubectl --name ${name} -- exec --namespace ${proxyNamespace} proxy-0 -- culvert status`,
    `kubectl --name ${name} -- exec --namespace ${proxyNamespace} proxy-0 -- nft list ruleset`,
    `kubectl --name ${name} -- logs --namespace ${proxyNamespace} proxy-0`,
    `events --name ${name}`,
    `exec --name ${name} client -- tailscale ping proxy-0`,
  ],
}

const byFamily = (addresses: readonly string[]): { v4: string; v6: string } =>
  both({ v4: addresses.find((one) => !isIPv6(one)), v6: addresses.find((one) => isIPv6(one)) })
