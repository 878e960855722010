import { families } from '../../lib/address.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { getPaths, type PeerPath } from '../../localapi/paths.ts'
import { standingPlan } from '../forwarding/reconciler.ts'
import { indexOf } from '../targets/peer-index.ts'
import { isRunning, type World } from '../world/world.ts'

/**
 * The full names of the peers behind the targets in the tailnet: the node itself, or the one that has a route to it. Of
 * several that host a Tailscale Service it is one.
 */
export function targetPeers(world: World): ReadonlySet<string> {
  const { peers } = world.tailnet
  const plan = standingPlan(world)
  if (peers === undefined || plan === undefined) return new Set()
  const { withAddress, routerOf } = indexOf(peers)
  const names = families.flatMap((family) =>
    [...plan.table.targets[family].keys()].flatMap((text) => {
      const address = { family, text }
      return (withAddress(address) ?? routerOf(address))?.name ?? []
    }),
  )
  return new Set(names)
}

/** How these peers are reached now; undefined if there are none, or tailscaled does not say in time. */
export async function readPaths(
  world: World,
  api: Pick<LocalApi, 'stream'>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<readonly PeerPath[] | undefined> {
  const wanted = targetPeers(world)
  if (wanted.size === 0 || !isRunning(world) || world.tailnet.silent !== undefined) return undefined
  return getPaths(api, ({ name }) => wanted.has(name), signal, timeoutMs).then(
    ({ peers }) => peers,
    () => undefined,
  )
}
