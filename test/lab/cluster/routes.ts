import { ip, setKernel } from '../namespaces/network.ts'
import type { HostRecord } from '../namespaces/record.ts'
import type { Addresses } from './addresses.ts'

/**
 * The routes to Pods and Services for the `own`-th node, or for a host that is no node: to each node's Pods through
 * that node, and for other hosts to the Services through the first node.
 */
export function routesFor(
  nodes: number,
  own: number | undefined,
  addresses: Addresses,
): { v4: string[]; v6: string[] } {
  const numbers = Array.from({ length: nodes }, (_, index) => index + 1)
  const of = (family: 'v4' | 'v6'): string[] => {
    if (!addresses.families.includes(family)) return []
    const via = (range: string, n: number): string => `route add ${range} via ${addresses.node(n)[family]}`
    return [
      ...numbers.filter((n) => n !== own).map((n) => via(addresses.podRange(n)[family], n)),
      ...(own === undefined && nodes > 0 ? [via(addresses.services[family], 1)] : []),
    ]
  }
  return { v4: of('v4'), v6: of('v6') }
}

/**
 * Routes Pods and Services for the bed itself and all hosts of the cluster's network, and enables forwarding on the
 * nodes.
 */
export async function addRoutes(
  bed: number,
  hosts: readonly HostRecord[],
  nodes: number,
  addresses: Addresses,
): Promise<void> {
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
      const routes = routesFor(nodes, own, addresses)
      await ip(pid, [...(v4 ? routes.v4 : []), ...(v6 ? routes.v6 : [])])
      if (own !== undefined) await setKernel(pid, ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
    }),
  )
}
