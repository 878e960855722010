import { withPort } from '../../lib/address.ts'
import { memo } from '../../lib/memo.ts'
import { relayAddress } from '../../relay/tcp.ts'
import { isFrom } from '../../wire/capability-version.ts'
import type { PortHandler, Ports, ServeConfig } from '../../wire/serve-config.ts'
import { planRelay, spreads } from '../relay/reconciler.ts'
import type { Settings } from '../settings/settings.ts'
import { isOwnAddress } from '../targets/destination.ts'
import { forwardsByServe, ingressPorts, portPairs } from '../targets/ports.ts'
import type { World } from '../world/world.ts'

/** Whether this agent lets tailscaled serve something: a mounted serve config, or ports of L3 ingress. */
export const serves = (settings: Settings): boolean =>
  settings.serveConfigFile !== undefined || forwardsByServe(settings)

/**
 * The desired serve config, with placeholders for the node's name. Undefined while it is not known: if none is mounted
 * or none was ever valid, and before the ports of L3 ingress can be forwarded.
 */
export const wantedServe = memo(
  (world: World) => [
    world.settings,
    world.mounted.serveConfig?.content,
    planRelay(world),
    world.relay.ports,
    world.tailnet.version,
    world.tailnet.self?.addresses,
  ],
  (world): ServeConfig | undefined => {
    const { settings, mounted } = world
    const config = mounted.serveConfig?.content?.config
    if (!forwardsByServe(settings) || (settings.serveConfigFile !== undefined && config === undefined)) return config
    return { ...config, TCP: { ...config?.TCP, ...forwarded(world) } }
  },
)

/** Earlier versions of tailscaled ignore what a serve config says of the PROXY protocol. */
export const proxyProtocolSince = '1.92'

/** The TCP ports of L3 ingress: each leads to the only backend, or to the relay, which spreads them. */
function forwarded(world: World): Ports {
  const { settings, relay, tailnet } = world
  if (settings.proxyProtocol !== undefined && isFrom(tailnet.version ?? '', proxyProtocolSince) === false) return {}
  const [only] = settings.targets
  const pairs = [...portPairs(ingressPorts(world).byServe)]
  const entries = pairs.flatMap(([port, to]): [string, PortHandler][] => {
    const relayPort = relay.ports.get(port)
    const toRelay = only === undefined || spreads(settings)
    if (toRelay ? relayPort === undefined : isOwnAddress(world, only)) return []
    const at = toRelay ? `${relayAddress}:${relayPort}` : withPort(only, to)
    const { proxyProtocol } = settings
    return [[`${port}`, { TCPForward: at, ...(proxyProtocol && { ProxyProtocol: proxyProtocol }) }]]
  })
  return Object.fromEntries(entries)
}
