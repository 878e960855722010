import { expect, onTestFailed } from 'vitest'
import { serviceAddresses, ways } from '../../e2e/cluster.ts'
import { ask, type Bed, startBed, startEcho } from '../../lab/bed.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { buildImage, buildUpstreamImage } from '../../lab/images/image.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { installOperator, OperatorProcess } from '../operator-process.ts'

/** An address behind the router, as 4via6 has it: 192.0.2.7 at site 7. */
const via = 'fd7a:115c:a1e0:b1a:0:7:c000:207'
const hosts = {
  client: { network: 'wan', tailscaled: { up: ['--accept-routes'] } },
  warehouse: { network: 'wan', tailscaled: true },
  depot: { network: 'wan', tailscaled: true },
  router: { network: 'wan', tailscaled: { up: [`--advertise-routes=${via}/128,192.0.2.7/32`] } },
  // Only the cluster reaches it.
  site: { network: 'cluster' },
} as const

export type Service = KubeObject & {
  readonly spec: { readonly type: string; readonly externalName?: string }
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
    readonly loadBalancer?: { readonly ingress?: readonly object[] }
  }
}

/**
 * A cluster with the operator, the Services `backend` and `other`, and a Pod `client` in each of two namespaces; and
 * hosts of the tailnet, of which `router` leads to an address behind it.
 */
export class L3Cluster implements AsyncDisposable {
  readonly bed: Bed<keyof typeof hosts>
  readonly operator: OperatorProcess

  private constructor(bed: Bed<keyof typeof hosts>, operator: OperatorProcess) {
    this.bed = bed
    this.operator = operator
  }

  static async start(): Promise<L3Cluster> {
    const [image, bed] = await Promise.all([buildImage(), startBed({ hosts, cluster: { nodes: 1 } })])
    const { cluster, control } = bed
    const other = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } }
    await Promise.all([
      cluster.importImage(image.archive),
      cluster.apply(
        other,
        ...['backend', 'other', 'client'].flatMap((name) => backendObjects(name)),
        ...backendObjects('client', 'other'),
      ),
      control.patchNode('router', { routes: [`${via}/128`, '192.0.2.7/32'] }),
      ...(['warehouse', 'depot', 'router', 'site'] as const).map((name) => startEcho(bed.host(name))),
      bed.host('router').exec(['ip', 'address', 'add', '192.0.2.7', 'dev', 'lo']),
      installOperator(bed),
    ])
    return new L3Cluster(bed, await OperatorProcess.start(bed, { PROXY_IMAGE: image.reference }))
  }

  /** Makes a ProxyClass of this name, whose Pods have Tailscale's agent. */
  async addUpstreamClass(name: string): Promise<void> {
    const { archive, reference: image } = await buildUpstreamImage()
    await this.bed.cluster.importImage(archive)
    // Tailscale's operator has images pulled at each start, and the bed has no registry.
    const container = { image, imagePullPolicy: 'IfNotPresent' }
    await this.bed.cluster.apply({
      apiVersion: 'tailscale.com/v1alpha1',
      kind: 'ProxyClass',
      metadata: { name, annotations: { 'culvert/agent': 'upstream' } },
      spec: { statefulSet: { pod: { tailscaleContainer: container, tailscaleInitContainer: container } } },
    })
  }

  /** Approves all routes that a node advertises, as somebody does in the admin console. */
  async approve(node: string): Promise<void> {
    const { control } = this.bed
    await control.patchNode(node, { routes: (await control.node(node)).advertisedRoutes })
  }

  /** Waits until the client reaches the Service `backend` by its address in the cluster, by each protocol and family. */
  async reachedByRoute(): Promise<void> {
    const backend = await serviceAddresses(this.bed.cluster, 'backend')
    for (const { family, protocol } of ways) {
      const once = () => ask(this.bed.host('client'), { to: backend[family], protocol, patience: 5000 }).catch(String)
      await expect.poll(once).toMatchObject({ host: 'backend' })
    }
  }

  printLogsOnFailure(): void {
    printLogsOnFailure(this.bed)
    onTestFailed(() => console.error(this.operator.logged.join('\n')))
  }

  async service(name: string): Promise<Service> {
    return (await this.bed.cluster.get<Service>('service', name))!
  }

  /** Changes a Service as a user does; null removes. */
  async annotate(name: string, annotations: Readonly<Record<string, string | null>>, spec?: object): Promise<void> {
    const patch = JSON.stringify({ metadata: { annotations }, ...(spec !== undefined && { spec }) })
    await this.bed.cluster.kubectl(['patch', 'service', name, '--type=merge', `--patch=${patch}`])
  }

  /** What the condition of a Service says: `True`, or why not. */
  async ready(name: string): Promise<string | undefined> {
    const { status } = await this.service(name)
    const condition = status.conditions?.find(({ type }) => type === 'TailscaleProxyReady')
    return condition?.status === 'True' ? 'True' : condition?.message
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator.stop()
    await this.bed.down()
  }
}
