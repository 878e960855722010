import { expect } from 'vitest'
import { type Bed, type Host, type HostProcess, startBed, startEcho } from '../lab/bed.ts'
import { startEgressOperator } from '../lab/cluster/egress-operator.ts'
import { egressEntry, egressFiles, egressObjects, type EgressSpec, keyOf } from '../lab/cluster/egress-services.ts'
import type { EgressStatus } from '../lab/cluster/egress-slices.ts'
import { groupConfig, groupObjects, replicasOf } from '../lab/cluster/group.ts'
import { proxyBase, proxyNamespace } from '../lab/cluster/proxy.ts'
import { buildImage } from '../lab/images/image.ts'
import { clientPod } from './client-pod.ts'
import { ProxyPod, serviceAddresses } from './cluster.ts'
import { restartRollout, rolledOut } from './rollout.ts'

const group = { name: 'egress', type: 'egress', replicas: 3 } as const

const hosts = {
  /** A node of the tailnet; it answers on port 5432. */
  db: { network: 'wan', tailscaled: true },
  /** A node of the tailnet, once a test logs it in. */
  late: { network: 'wan', tailscaled: { up: false } },
  operator: { network: 'cluster' },
} as const

export const echoPort = 5432

type Options = {
  /** Reduces the agents' waits to a tenth, and those of the nodes on which they depend. */
  readonly short?: boolean
  /** How often the operator looks at the readiness gate again, in ms. */
  readonly retry?: number
}

/** A ProxyGroup of three egress proxies in a cluster, what an operator does for it, and a client on each node. */
export class EgressBed implements AsyncDisposable {
  readonly bed: Bed<keyof typeof hosts>
  readonly operator: HostProcess
  readonly replicas: readonly ProxyPod[]
  /** Pods, one on each node. */
  readonly clients: readonly Host[]
  /** For how long a node remembers a connection that was reset, in ms. */
  readonly forgets: number
  readonly #services = new Map<string, EgressSpec>()
  /** Entries without a Service. */
  #others: Readonly<Record<string, unknown>> = {}

  private constructor(bed: EgressBed['bed'], operator: HostProcess, clients: readonly Host[], forgets: number) {
    this.bed = bed
    this.operator = operator
    this.clients = clients
    this.forgets = forgets
    this.replicas = replicasOf(group).map((name) => new ProxyPod(bed.cluster, name))
  }

  static async start({ short = false, retry = 1000 }: Options = {}): Promise<EgressBed> {
    const [image, bed] = await Promise.all([buildImage(), startBed({ hosts, cluster: { nodes: 2 } })])
    try {
      const { cluster } = bed
      const names = cluster.nodes.map(({ name }) => [`client-${name}`, name] as const)
      await Promise.all([
        cluster.importImage(image.archive),
        cluster.apply(...proxyBase(), ...names.map(([name, node]) => clientPod(name, node))),
        ...(['db', 'late'] as const).map((host) => startEcho(bed.host(host), { ports: [echoPort] })),
      ])
      const operator = await startEgressOperator(cluster, bed.host('operator'), { group: group.name, retry })
      const authKey = await bed.authKey({ reusable: true })
      // There is no server to which tailscaled could send its logs.
      const env = { TS_NO_LOGS_NO_SUPPORT: 'true', ...(short && { CULVERT_TEST_SHORT_WAITS: 'true' }) }
      await cluster.apply(...groupObjects({ ...group, image: image.reference, authKey, env }))
      const clients = names.map(async ([name]) => {
        await cluster.wait(`pod/${name}`, 'Ready')
        return await cluster.pod(name)
      })
      const forgets = short ? 1000 : 10_000
      const kernel = ['sysctl', '--write', `net.netfilter.nf_conntrack_tcp_timeout_close=${forgets / 1000}`]
      await Promise.all(cluster.nodes.map((node) => node.exec(kernel)))
      return new EgressBed(bed, operator, await Promise.all(clients), forgets)
    } catch (error) {
      await bed.down()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed.down()
  }

  /** Creates or changes a Service, and then the group's configuration. */
  async add(...specs: EgressSpec[]): Promise<void> {
    for (const spec of specs) this.#services.set(spec.name, spec)
    await this.bed.cluster.apply(...specs.flatMap((spec) => egressObjects(group.name, spec)))
    await this.#configure()
  }

  /** Removes a Service: from the group's configuration first, as operators do. */
  async remove(name: string): Promise<void> {
    this.#services.delete(name)
    await this.#configure()
    await this.bed.cluster.kubectl(['delete', 'service', `ts-${name}`, `--namespace=${proxyNamespace}`])
  }

  /** Sets additional entries of the file `egress-services`, as they are. */
  async addEntries(entries: Readonly<Record<string, unknown>>): Promise<void> {
    this.#others = entries
    await this.#configure()
  }

  async #configure(): Promise<void> {
    const own = [...this.#services.values()].map((spec) => [keyOf(spec), egressEntry(spec)] as const)
    const files = egressFiles(group.replicas, { ...Object.fromEntries(own), ...this.#others })
    await this.bed.cluster.apply(groupConfig(group.name, group.type, files))
  }

  /** The ClusterIPs of a Service. */
  async addresses(name: string): Promise<{ v4: string; v6: string }> {
    return await serviceAddresses(this.bed.cluster, `ts-${name}`, proxyNamespace)
  }

  /** The status that each replica reports. */
  async statuses(): Promise<EgressStatus[]> {
    return await Promise.all(
      this.replicas.map(async (replica) => {
        return JSON.parse((await replica.secret())['egress-services'] ?? '{}') as EgressStatus
      }),
    )
  }

  /** The current endpoints of a Service, of each family. */
  async endpoints(name: string): Promise<{ v4: string[]; v6: string[] }> {
    const of = async (family: 'ipv4' | 'ipv6') => {
      const slice = await this.bed.cluster.get<Slice>('endpointslice', `ts-${name}-${family}`, proxyNamespace)
      return (slice?.endpoints ?? []).flatMap(({ addresses }) => addresses)
    }
    return { v4: await of('ipv4'), v6: await of('ipv6') }
  }

  /** Waits until a Service has this many endpoints. */
  async leadsTo(name: string, count: number): Promise<void> {
    const lengths = async () => Object.values(await this.endpoints(name)).map(({ length }) => length)
    await expect.poll(lengths, { interval: 500 }).toEqual([count, count])
  }

  /** Waits until all replicas are ready and up to date. */
  async ready(): Promise<void> {
    await rolledOut(this.bed.cluster, group.name)
  }

  /** Restarts all replicas, one after the other; returns how long it took, in ms. */
  async restart(): Promise<number> {
    return await restartRollout(this.bed.cluster, group.name)
  }
}

type Slice = { readonly endpoints: readonly { readonly addresses: readonly string[] }[] | null }
