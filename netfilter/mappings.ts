import { families, type Family } from '../lib/address.ts'
import { inOrder } from './in-order.ts'
import { rangeText } from './port-ranges.ts'
import type { ForwardingTable } from './table.ts'

/** What the rules do with new flows that are sent to one place. */
export type Mapping = {
  readonly family: Family
  /** Where the flows come from. */
  readonly from: 'tailnet' | 'cluster'
  /** Where they are sent to: an address of the node or of a Tailscale Service, or undefined: the Pod. */
  readonly address: string | undefined
  /** The only ports, such as `tcp/80`; undefined: all but those in `exempt`. */
  readonly ports: readonly string[] | undefined
  readonly exempt: readonly string[]
  /** Where they lead to, each with equal probability: an address, or one and a port such as `100.64.0.2:443`. */
  readonly to: readonly string[]
  /** The address that is seen there; undefined: the client’s own. `Pod`: that of the Pod on the way there. */
  readonly seen: string | undefined
}

/** What a table forwards, as facts about flows; in the order of the table. */
export function mappingsOf(table: ForwardingTable): readonly Mapping[] {
  const masked = table.masquerade ? 'Pod' : undefined
  const exempt = table.exempt.map(portText)
  return families.flatMap((family): Mapping[] => {
    const fromTailnet = { family, from: 'tailnet', exempt: [], seen: masked } as const
    const fromCluster = { family, from: 'cluster', address: undefined, seen: table.source[family] } as const
    const byPort = table.ingressByPort[family]
    const all = table.catchAll[family]
    return [
      ...[...table.ingress[family]].map(([address, to]) => ({ ...fromTailnet, address, ports: undefined, to })),
      ...(byPort?.addresses ?? []).map((address) => ({
        ...fromTailnet,
        address,
        ports: (byPort?.ports ?? []).map(rangeText),
        to: byPort?.backends ?? [],
      })),
      ...inOrder(table.ports[family]).map(({ key, value }) => ({
        ...fromCluster,
        ports: [portText(key)],
        exempt: [],
        to: [targetText(value)],
      })),
      ...(all === undefined ? [] : [{ ...fromCluster, ports: undefined, exempt, to: [all] }]),
    ]
  })
}

/** `tcp . 80` is `tcp/80`. */
const portText = (key: string): string => key.replace(' . ', '/')

/** `fd7a::1 . 443` is `[fd7a::1]:443`. */
function targetText(target: string): string {
  const [address = '', port = ''] = target.split(' . ')
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
