import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { clientPod } from '../../e2e/client-pod.ts'
import { ways } from '../../e2e/cluster.ts'
import { restartRollout } from '../../e2e/rollout.ts'
import { ask, type Bed, type Host, startBed, startEcho } from '../../lab/bed.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { buildImage, buildUpstreamImage } from '../../lab/images/image.ts'
import { projectRoot } from '../../lab/paths.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { readYaml } from '../../users/readers/yaml.ts'
import { installOperator, namespace, OperatorProcess } from '../operator-process.ts'
import { printProxiesOnFailure } from './nothing-left.ts'

const hosts = {
  /** Nodes of the tailnet; they answer on port 5432. */
  db: { network: 'wan', tailscaled: true },
  other: { network: 'wan', tailscaled: true },
} as const

export const echoPort = 5432

type Fields = Readonly<Record<string, unknown>>
export type Service = KubeObject & {
  readonly spec: {
    readonly type: string
    readonly externalName?: string
    readonly clusterIPs?: readonly string[]
    readonly ports: readonly object[]
  }
  readonly status: { readonly conditions?: readonly Condition[] }
}
type Condition = { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }

/** The manifests of docs/operator-egress-group.md. */
function manifests(): readonly KubeObject[] {
  const text = readFileSync(join(projectRoot, 'docs/operator-egress-group.md'), 'utf8')
  return readYaml<KubeObject>(/```yaml\n([^]*?)```/.exec(text)?.[1] ?? '')
}

/**
 * A cluster with the operator and the group of the docs, and a client on each node. Unless told otherwise, kubelet looks
 * at mounted files by itself once in an hour, so that what is seen earlier is what the operator has it look at.
 */
export class EgressGroupCluster implements AsyncDisposable {
  readonly bed: Bed<keyof typeof hosts>
  readonly operator: OperatorProcess
  readonly clients: readonly Host[]
  /** For how long a node remembers a connection that was reset, in ms. */
  readonly forgets = 1000

  private constructor(bed: EgressGroupCluster['bed'], operator: OperatorProcess, clients: readonly Host[]) {
    this.bed = bed
    this.operator = operator
    this.clients = clients
  }

  static async start({ nodes = 2, syncFrequency = '1h' } = {}): Promise<EgressGroupCluster> {
    const [image, upstream, bed] = await Promise.all([
      buildImage(),
      buildUpstreamImage(),
      startBed({ hosts, cluster: { nodes, syncFrequency } }),
    ])
    const { cluster } = bed
    const names = cluster.nodes.map(({ name }) => [`client-${name}`, name] as const)
    await Promise.all([
      ...[image, upstream].map(({ archive }) => cluster.importImage(archive)),
      cluster.apply(...names.map(([name, node]) => clientPod(name, node))),
      ...(['db', 'other'] as const).map((host) => startEcho(bed.host(host), { ports: [echoPort] })),
      installOperator(bed),
    ])
    const operator = await OperatorProcess.start(bed, { PROXY_IMAGE: image.reference, PROXY_DEFAULT_CLASS: 'short' })
    const [group, service] = manifests()
    await cluster.apply(
      proxyClass('short', { CULVERT_TEST_SHORT_WAITS: 'true' }),
      proxyClass('upstream', {}, upstream.reference),
      group!,
      withTarget(service!, 'db'),
    )
    const clients = names.map(async ([name]) => {
      await cluster.wait(`pod/${name}`, 'Ready')
      return await cluster.pod(name)
    })
    const kernel = ['sysctl', '--write', 'net.netfilter.nf_conntrack_tcp_timeout_close=1']
    await Promise.all(cluster.nodes.map((node) => node.exec(kernel)))
    return new EgressGroupCluster(bed, operator, await Promise.all(clients))
  }

  printLogsOnFailure(): void {
    printLogsOnFailure(this.bed)
    printProxiesOnFailure(this.bed, this.operator)
  }

  /** Creates the Service of the docs under another name, or changes it. */
  async add(name: string, host: string, more: Fields = {}): Promise<void> {
    const { metadata, spec, ...rest } = withTarget(manifests()[1]!, host)
    const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), port: echoPort, protocol }))
    const annotations = { ...(metadata['annotations'] as object), ...more }
    await this.bed.cluster.apply({
      ...rest,
      metadata: { ...metadata, name, namespace: 'default', annotations },
      spec: { ...(spec as object), ports },
    })
  }

  async service(name: string): Promise<Service> {
    return (await this.bed.cluster.get<Service>('service', name))!
  }

  /** Status and reason of a condition, and its message. */
  async condition(name: string, type: 'Valid' | 'Configured' | 'Ready'): Promise<string> {
    const { status } = await this.service(name)
    const found = status.conditions?.find((one) => one.type === `TailscaleEgressSvc${type}`)
    return found === undefined ? 'nothing' : `${found.status} ${found.reason}: ${found.message}`
  }

  /** The ClusterIPs to which the name of a Service leads. */
  async addresses(name: string): Promise<{ v4: string; v6: string }> {
    const { spec } = await this.service(name)
    const [target = ''] = spec.externalName?.split('.') ?? []
    const behind = await this.bed.cluster.get<Service>('service', target, namespace)
    const [v4 = '', v6 = ''] = behind?.spec.clusterIPs ?? []
    return { v4, v6 }
  }

  /** Waits until Pods of each node reach a host through a Service, with these protocols and families. */
  async reaches(name: string, host: string, some = ways): Promise<void> {
    await expect.poll(async () => (await this.addresses(name)).v4).not.toBe('')
    const to = await this.addresses(name)
    for (const client of this.clients) {
      for (const { family, protocol } of some) {
        const once = () => ask(client, { to: to[family], port: echoPort, protocol, patience: 5000 }).catch(String)
        await expect.poll(once, { message: `${name} ${protocol} ${family}` }).toMatchObject({ host })
      }
    }
  }

  /** The addresses to which the cluster's DNS resolves the name of a Service. */
  async resolved(name: string): Promise<readonly string[]> {
    const exec = ['exec', 'client-node1', '--', 'nslookup', `${name}.default.svc.cluster.local`]
    const { stdout } = await this.bed.cluster.kubectl(exec, { check: false })
    const answer = stdout.split('\n\n').slice(1).join('\n')
    return [...answer.matchAll(/^Address(?: \d+)?: *(\S+)/gm)].map(([, address = '']) => address)
  }

  /** A group of one replica with Tailscale's agent. */
  async addUpstream(name: string): Promise<void> {
    await this.bed.cluster.apply({
      apiVersion: 'tailscale.com/v1alpha1',
      kind: 'ProxyGroup',
      metadata: { name },
      spec: { type: 'egress', replicas: 1, proxyClass: 'upstream' },
    })
  }

  async scale(replicas: number, group = 'egress'): Promise<void> {
    const patch = JSON.stringify({ spec: { replicas } })
    await this.bed.cluster.kubectl(['patch', 'proxygroup', group, '--type=merge', `--patch=${patch}`])
  }

  /** Restarts all replicas, one after the other; returns how long it took, in ms. */
  async restart(): Promise<number> {
    return await restartRollout(this.bed.cluster, 'egress')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator.stop()
    await this.bed.down()
  }
}

function withTarget(service: KubeObject, host: string): KubeObject {
  const { metadata } = service
  const annotations = { ...(metadata['annotations'] as object), 'tailscale.com/tailnet-fqdn': `${host}.lab.ts.net` }
  return { ...service, metadata: { ...metadata, namespace: 'default', annotations } }
}

/** A ProxyClass; with an image, that has Tailscale's agent. */
function proxyClass(name: string, env: Readonly<Record<string, string>>, image?: string): KubeObject {
  // There is no server to which tailscaled could send its logs, and no registry.
  const variables = Object.entries({ TS_NO_LOGS_NO_SUPPORT: 'true', ...env })
  const container = {
    env: variables.map(([variable, value]) => ({ name: variable, value })),
    imagePullPolicy: 'IfNotPresent',
    ...(image !== undefined && { image }),
  }
  // Kubelet asks a server, which costs little, and tests would wait for its next look.
  const often = { name: 'tailscale', readinessProbe: { periodSeconds: 1 } }
  const init = { imagePullPolicy: 'IfNotPresent', ...(image !== undefined && { image }) }
  return {
    apiVersion: 'tailscale.com/v1alpha1',
    kind: 'ProxyClass',
    metadata: { name, ...(image !== undefined && { annotations: { 'culvert/agent': 'upstream' } }) },
    spec: {
      statefulSet: {
        pod: { tailscaleContainer: container, tailscaleInitContainer: init },
        ...(image === undefined && { template: { spec: { containers: [often] } } }),
      },
    },
  }
}
