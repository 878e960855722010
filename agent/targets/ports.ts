import { memo } from '../../lib/memo.ts'
import { backendPort, type PortRange, rangeText, withoutTcp } from '../../netfilter/port-ranges.ts'
import type { Settings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { isOwnAddress, targetsOf } from './destination.ts'

type Ports = {
  /** The ports that the rules of the kernel forward; undefined: all. */
  readonly byRules: readonly PortRange[] | undefined
  /** TCP ports that tailscaled forwards by its serve config. */
  readonly byServe: readonly PortRange[]
  /** UDP ports that the agent forwards, since tailscaled without a TUN device leads them to loopback. */
  readonly byRelay: readonly PortRange[]
  /** TCP ports that would be forwarded, but are in the mounted serve config. */
  readonly served: readonly number[]
}

/** Whether TCP ports of L3 ingress are forwarded by tailscaled's serve config: rules need a TUN device, and cannot say who the client is. */
export const forwardsByServe = ({
  targetPorts,
  userspace,
  proxyProtocol,
}: Pick<Settings, 'targetPorts' | 'userspace' | 'proxyProtocol'>): boolean =>
  targetPorts !== undefined && (userspace || proxyProtocol !== undefined)

/**
 * How the ports of L3 ingress are forwarded. Those of the mounted serve config are tailscaled's, also while it does not
 * serve them yet: clients never reach a backend there.
 */
export const ingressPorts = memo(
  ({ settings, mounted }: World) => [settings, mounted.serveConfig?.content?.config.TCP],
  ({ settings, mounted }): Ports => {
    const { targetPorts, userspace } = settings
    if (targetPorts === undefined) return { byRules: undefined, byServe: [], byRelay: [], served: [] }
    const served = Object.keys(mounted.serveConfig?.content?.config.TCP ?? {})
      .map(Number)
      .filter((port) => backendPort(targetPorts, 'tcp', port) !== undefined)
    const { tcp = [], udp = [] } = Object.groupBy(withoutTcp(targetPorts, served), ({ protocol }) => protocol)
    const byServe = forwardsByServe(settings)
    return {
      byRules: userspace ? [] : [...(byServe ? [] : tcp), ...udp],
      byServe: byServe ? tcp : [],
      byRelay: userspace ? udp : [],
      served,
    }
  },
)

/** Each port of ranges, with the port of the backends to which it leads. */
export const portPairs = (ranges: readonly PortRange[]): ReadonlyMap<number, number> =>
  new Map(
    ranges.flatMap(({ first, last, to }) =>
      Array.from({ length: last - first + 1 }, (_, index): [number, number] => [first + index, to ?? first + index]),
    ),
  )

/** Why listed ports are not forwarded. */
export const portProblems = (world: World): string[] => [
  ...ingressPorts(world).served.map(
    (port) =>
      `tcp/${port} is in the serve config and in CULVERT_DEST_PORTS: it is served and not forwarded. Remove it from one of the two`,
  ),
  ...(forwardsByServe(world.settings) ? targetsOf(world).filter((target) => isOwnAddress(world, target)) : []).map(
    ({ text }) => `${text} is this node’s own address, from which connections would come back: it gets none`,
  ),
]

/** For the status; docs/operations.md documents the shape. */
export function portsView(world: World): Record<string, unknown> | null {
  const { byRules, byServe, byRelay } = ingressPorts(world)
  if (byRules === undefined) return null
  return { forwarded: [...byServe, ...byRules, ...byRelay].map(rangeText), problems: portProblems(world) }
}
