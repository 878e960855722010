import { expect, onTestFailed } from 'vitest'
import { type Bed, startBed } from '../../lab/bed.ts'
import { siteObjects } from '../../lab/cluster/ingress.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { buildImage, buildUpstreamImage } from '../../lab/images/image.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { installOperator, namespace, OperatorProcess } from '../operator-process.ts'
import { authorityClass } from './install.ts'

type Agent = 'culvert' | 'upstream'
type Fields = Readonly<Record<string, unknown>>
type Annotations = Readonly<Record<string, string>>
type Status = {
  readonly loadBalancer?: { readonly ingress?: readonly Fields[] }
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
}

export const backend = (name: string, port: Fields = { number: 80 }) => ({ service: { name, port } })

/** A cluster with the operator, the sites `web` and `other`, and the echo server `echo`; and a client in the tailnet. */
export class IngressCluster implements AsyncDisposable {
  readonly bed: Bed<'client'>
  operator: OperatorProcess | undefined

  private constructor(bed: Bed<'client'>) {
    this.bed = bed
  }

  static async start(): Promise<IngressCluster> {
    const hosts = { client: { network: 'wan', tailscaled: true } } as const
    const [bed] = await Promise.all([startBed({ acme: true, hosts, cluster: { nodes: 1 } }), buildImage()])
    const started = new IngressCluster(bed)
    await installOperator(bed)
    await bed.cluster.apply(
      ...(await authorityClass(bed, 'lab')),
      ...siteObjects('web'),
      ...siteObjects('other'),
      ...backendObjects('echo'),
    )
    // Tailscale's operator has images pulled at each start, and the bed has no registry.
    await started.setClass({ tailscaleContainer: { imagePullPolicy: 'IfNotPresent' } })
    await started.operate()
    return started
  }

  /**
   * Starts the operator, or restarts it; its proxies have this agent, and get certificates from the bed's authority.
   */
  async operate(agent: Agent = 'culvert'): Promise<void> {
    const image = await (agent === 'culvert' ? buildImage() : buildUpstreamImage())
    await Promise.all([this.operator?.stop(), this.bed.cluster.importImage(image.archive)])
    const proxies = { CULVERT_AGENT: agent, PROXY_IMAGE: image.reference, PROXY_DEFAULT_CLASS: 'lab' }
    this.operator = await OperatorProcess.start(this.bed, proxies)
  }

  /** Changes what the class says of the Pods of all proxies. */
  async setClass(pod: Fields): Promise<void> {
    const patch = JSON.stringify({ spec: { statefulSet: { pod } } })
    await this.bed.cluster.kubectl(['patch', 'proxyclass', 'lab', '--type=merge', `--patch=${patch}`])
  }

  printLogsOnFailure(): void {
    printLogsOnFailure(this.bed)
    onTestFailed(async () => {
      console.error(this.operator?.logged.join('\n'))
      for (const { metadata } of await this.bed.cluster.list('pods', namespace))
        console.error(await this.bed.cluster.podLogs(metadata.name ?? '', { namespace }).catch(String))
    })
  }

  /** Sets the Ingress `web`, of the name `app` unless `spec` says otherwise, with exactly these annotations. */
  async setIngress(spec: Fields, annotations: Annotations = {}): Promise<void> {
    await this.bed.cluster.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web', namespace: 'default', annotations },
      spec: { ingressClassName: 'tailscale', tls: [{ hosts: ['app'] }], ...spec },
    })
  }

  /** Sets a Service that is exposed as `hostname`, and leads to the echo server. */
  async expose(
    name: string,
    ports: readonly Fields[],
    { hostname = 'app', annotations = {}, spec = {} } = {},
  ): Promise<void> {
    const named = ports.map((port, index) => ({ name: `port-${index}`, targetPort: 7000, ...port }))
    await this.bed.cluster.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name,
        namespace: 'default',
        annotations: { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': hostname, ...annotations },
      },
      spec: { selector: { app: 'echo' }, ipFamilyPolicy: 'RequireDualStack', ports: named, ...spec },
    })
  }

  async remove(kind: string, name: string): Promise<void> {
    await this.bed.cluster.kubectl(['delete', kind, name, '--namespace=default'])
  }

  async #status(kind: string, name: string): Promise<Status> {
    return (await this.bed.cluster.get<KubeObject & { status: Status }>(kind, name))?.status ?? {}
  }

  /** Where an object says that it is reachable. */
  async entries(kind: string, name: string): Promise<readonly Fields[]> {
    return (await this.#status(kind, name)).loadBalancer?.ingress ?? []
  }

  /** The condition of a Service, in words. */
  async condition(name: string): Promise<string> {
    const found = (await this.#status('service', name)).conditions?.find(({ type }) => type === 'TailscaleProxyReady')
    return `${found?.status}: ${found?.message}`
  }

  /** Waits until the Ingress has such an Event. */
  async tells(reason: string): Promise<void> {
    type Listed = KubeObject & { readonly reason: string; readonly involvedObject: { readonly kind: string } }
    const reasons = async () =>
      (await this.bed.cluster.list<Listed>('events', 'default'))
        .filter(({ involvedObject }) => involvedObject.kind === 'Ingress')
        .map((event) => event.reason)
    await expect.poll(reasons).toContain(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator?.stop()
    await this.bed.down()
  }
}
