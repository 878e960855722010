import { ip, setKernel } from '../namespaces/network.ts'
import type { HostRecord } from '../namespaces/record.ts'
import { nodeAddress, podRange, services } from './addresses.ts'

/**
 * The routes to Pods and Services for the `own`-th node, or for a host that is no node: to each node's Pods through
 * that node, and for other hosts to the Services through the first node.
 */
export function routesFor(nodes: number, own: number | undefined): { v4: string[]; v6: string[] } {
  const numbers = Array.from({ length: nodes }, (_, index) => index + 1)
  const families = ['v4', 'v6'] as const
  const [v4, v6] = families.map((family) => [
    ...numbers.filter((n) => n !== own).map((n) => `route add ${podRange(n)[family]} via ${nodeAddress(n)[family]}`),
    ...(own === undefined && nodes > 0 ? [`route add ${services[family]} via ${nodeAddress(1)[family]}`] : []),
  ])
  return { v4: v4!, v6: v6! }
}

/**
 * Routes Pods and Services for the bed itself and all hosts of the cluster's network, and enables forwarding on the
 * nodes.
 */
export async function addRoutes(bed: number, hosts: readonly HostRecord[], nodes: number): Promise<void> {
  const networks = [
    { pid: bed, own: undefined, v4: true, v6: true },
    ...hosts
      .filter(({ spec }) => spec.network === 'cluster')
      .map(({ holder, node, address }) => ({
        pid: holder.pid,
        own: node,
        v4: address.v4 !== undefined,
        v6: address.v6 !== undefined,
      })),
  ]
  await Promise.all(
    networks.map(async ({ pid, own, v4, v6 }) => {
      const routes = routesFor(nodes, own)
      await ip(pid, [...(v4 ? routes.v4 : []), ...(v6 ? routes.v6 : [])])
      if (own !== undefined) await setKernel(pid, ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
    }),
  )
}
