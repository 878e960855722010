import { memo } from '../../lib/memo.ts'
import { backendPort, type PortRange, rangeText, withoutTcp } from '../../netfilter/port-ranges.ts'
import type { World } from '../world/world.ts'

type Ports = {
  /** The ports that are forwarded; undefined: all. */
  readonly forwarded: readonly PortRange[] | undefined
  /** TCP ports that would be, but are in the serve config. */
  readonly served: readonly number[]
}

/**
 * The ports that L3 ingress forwards. Those of the serve config are tailscaled's, also while it does not serve them
 * yet: clients never reach a backend there.
 */
export const ingressPorts = memo(
  ({ settings, mounted }: World) => [settings.targetPorts, mounted.serveConfig?.content?.config.TCP],
  ({ settings: { targetPorts }, mounted }): Ports => {
    if (targetPorts === undefined) return { forwarded: undefined, served: [] }
    const served = Object.keys(mounted.serveConfig?.content?.config.TCP ?? {})
      .map(Number)
      .filter((port) => backendPort(targetPorts, 'tcp', port) !== undefined)
    return { forwarded: withoutTcp(targetPorts, served), served }
  },
)

/** Why listed ports are not forwarded. */
export const portProblems = (world: World): string[] =>
  ingressPorts(world).served.map(
    (port) =>
      `tcp/${port} is in the serve config and in CULVERT_DEST_PORTS: it is served and not forwarded. Remove it from one of the two`,
  )

/** For the status; docs/operations.md documents the shape. */
export function portsView(world: World): Record<string, unknown> | null {
  const { forwarded } = ingressPorts(world)
  return forwarded === undefined ? null : { forwarded: forwarded.map(rangeText), problems: portProblems(world) }
}
