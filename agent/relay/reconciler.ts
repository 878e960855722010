import { CulvertError, codeOf, describe } from '../../lib/errors.ts'
import { memo } from '../../lib/memo.ts'
import { some } from '../../lib/some.ts'
import { inTurn } from '../../relay/choose.ts'
import type { TcpRelay } from '../../relay/tcp.ts'
import type { UdpRelay } from '../../relay/udp.ts'
import { isOwnAddress, isUnresolved, targetsOf } from '../targets/destination.ts'
import { forwardsByServe, ingressPorts, portPairs } from '../targets/ports.ts'
import type { Reconciler } from '../world/reconciler.ts'
import { reconcilerKey } from '../world/reports.ts'
import type { Settings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'

/** The node's ports that the agent forwards, each with the port of the backends. */
export type RelayDesired = {
  readonly tcp: ReadonlyMap<number, number>
  readonly udp: ReadonlyMap<number, number>
}

export const relayKey = reconcilerKey<RelayDesired>('relay')

/** Whether connections go through the agent: tailscaled's serve config has one address for each port. */
export const spreads = ({ targets, targetName }: Pick<Settings, 'targets' | 'targetName'>): boolean =>
  targetName !== undefined || targets.length > 1

/** Undefined if the agent forwards nothing itself, and until the name of the backends was resolved. */
export function planRelay(world: World): RelayDesired | undefined {
  return forwardsByServe(world.settings) && !isUnresolved(world) ? relayPairs(world) : undefined
}

/** The ports to be opened once the backends are known. */
export const relayPairs = memo(
  (world: World) => [world.settings, ingressPorts(world)],
  (world): RelayDesired => {
    const { byServe, byRelay } = ingressPorts(world)
    return { tcp: portPairs(spreads(world.settings) ? byServe : []), udp: portPairs(byRelay) }
  },
)

type Relays = {
  readonly tcp: TcpRelay
  readonly udp: UdpRelay
  /** The most ports of each protocol. */
  readonly limits: { readonly tcp: number; readonly udp: number }
  /** What World has now. */
  readonly world: () => World
  /** Gets the relay's port for each of the node's TCP ports. */
  readonly opened: (tcp: ReadonlyMap<number, number>) => void
}

/** Opens the relay's ports. One that cannot be opened does not keep the others closed. */
export function relayReconciler({ tcp, udp, limits, world, opened }: Relays): Reconciler<RelayDesired> {
  /** The open ports, with the port of the backends. */
  const open = { tcp: new Map<number, number>(), udp: new Map<number, number>() }
  const relayPorts = new Map<number, number>()

  const choose = (to: number) => () => {
    const now = world()
    const backends = targetsOf(now).filter((target) => !isOwnAddress(now, target))
    return inTurn(backends, to, Math.random)
  }
  const protocols = {
    tcp: {
      open: async (port: number, to: number) => void relayPorts.set(port, await tcp.open(port, choose(to))),
      close: (port: number) => {
        tcp.close(port)
        relayPorts.delete(port)
      },
    },
    udp: {
      open: (port: number, to: number) => udp.open(port, choose(to)),
      close: (port: number) => udp.close(port),
    },
  }

  return {
    key: relayKey,
    plan: planRelay,
    apply: async (desired) => {
      const problems: string[] = []
      for (const protocol of ['udp', 'tcp'] as const) {
        const present = open[protocol]
        const { open: begin, close } = protocols[protocol]
        for (const [port, to] of present) {
          if (desired[protocol].get(port) === to) continue
          close(port)
          present.delete(port)
        }
        for (const [port, to] of desired[protocol]) {
          if (present.has(port)) continue
          if (present.size >= limits[protocol]) {
            problems.push(
              `${protocol}/${port}: the agent opens at most ${present.size} ports of ${protocol}; list fewer`,
            )
            continue
          }
          try {
            await begin(port, to)
            present.set(port, to)
          } catch (error) {
            problems.push(`${protocol}/${port}: ${listenProblem(error)}`)
          }
        }
      }
      opened(new Map(relayPorts))
      if (problems.length === 0) return false
      const problem = new CulvertError('listen', `these ports are not forwarded: ${some(problems)}`)
      return { problem, verified: { tcp: new Map(open.tcp), udp: new Map(open.udp) } }
    },
  }
}

function listenProblem(error: unknown): string {
  const code = codeOf(error)
  if (code === 'EACCES') {
    return 'ports below 1024 need a right here: set the sysctl net.ipv4.ip_unprivileged_port_start to 0 in the Pod’s securityContext, which Pod Security "restricted" allows'
  }
  if (code === 'EADDRINUSE') return 'another program in the Pod has it'
  return describe(error)
}
