import { expect } from 'vitest'
import { ask, type Bed } from '../lab/bed.ts'
import type { Cluster } from '../lab/cluster/cluster.ts'
import type { Pod } from '../lab/cluster/pods.ts'
import { proxyNamespace } from '../lab/cluster/proxy.ts'

export const ways = (['v4', 'v6'] as const).flatMap((family) =>
  (['tcp', 'udp'] as const).map((protocol) => ({ family, protocol })),
)

/** The addresses of a dual-stack Service. */
export async function serviceAddresses(
  cluster: Cluster,
  name: string,
  namespace = 'default',
): Promise<{ v4: string; v6: string }> {
  const service = await cluster.get<{ spec: { clusterIPs: string[] } }>('service', name, namespace)
  const [v4 = '', v6 = ''] = service?.spec.clusterIPs ?? []
  return { v4, v6 }
}

/** The addresses of a node of the tailnet. */
export async function nodeAddresses(bed: Bed, node: string): Promise<{ v4: string; v6: string }> {
  const { addresses } = await bed.control.node(node)
  const of = (colon: boolean) => addresses.find((address) => address.includes(':') === colon) ?? ''
  return { v4: of(false), v6: of(true) }
}

/** Reaches the backend through the tailnet with every protocol and family; returns who answered. */
export async function reachAll(bed: Bed, node: string): Promise<void> {
  const to = await nodeAddresses(bed, node)
  for (const { family, protocol } of ways) {
    const once = () => ask(bed.host('client'), { to: to[family], protocol, patience: 5000 }).catch(String)
    await expect.poll(once).toMatchObject({ host: 'backend' })
  }
}

/** A Pod of an operator's proxy. */
export class ProxyPod {
  readonly cluster: Cluster
  readonly name: string

  constructor(cluster: Cluster, name: string) {
    this.cluster = cluster
    this.name = name
  }

  async pod(): Promise<Pod | undefined> {
    return await this.cluster.get<Pod>('pod', this.name, proxyNamespace)
  }

  /** Waits for kubelet's Ready condition; `status` is `True` or `False`. */
  async ready(status: 'True' | 'False' = 'True'): Promise<void> {
    const ready = async () => (await this.pod())?.status.conditions?.find(({ type }) => type === 'Ready')?.status
    await expect.poll(ready, { interval: 500 }).toBe(status)
  }

  /** Runs a command in the agent's container. */
  async exec(...command: string[]) {
    const where = [this.name, `--namespace=${proxyNamespace}`, '--container=tailscale']
    return await this.cluster.kubectl(['exec', ...where, '--', ...command], { check: false })
  }

  async restarts(): Promise<number> {
    return (await this.pod())?.status.containerStatuses?.[0]?.restartCount ?? 0
  }

  /** The Secret's keys with their texts. */
  async secret(): Promise<Record<string, string>> {
    const secret = await this.cluster.get<{ data?: Record<string, string> }>('secret', this.name, proxyNamespace)
    return Object.fromEntries(
      Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    )
  }
}
