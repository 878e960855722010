import type { Address } from '../../lib/address.ts'
import type { TailnetTarget } from '../../wire/tailnet-target.ts'
import type { World } from '../world/world.ts'
import { nameKey } from './names.ts'
import { overlapWarning, refusal } from './refuse.ts'
import { resolveTarget } from './resolve.ts'

/** The addresses of a target that traffic may be sent to, and what is wrong with it. */
export function usableTarget(
  target: TailnetTarget,
  world: World,
): { readonly addresses: readonly Address[]; readonly problems: readonly string[] } {
  const resolution = resolveTarget(target, world.tailnet)
  if ('problem' in resolution) return { addresses: [], problems: [ownPlace(target, world) ?? resolution.problem] }
  const { addresses, through, owner } = resolution
  if (world.tailnet.acceptsRoutes === false && (through === 'route' || through === '4via6')) {
    const behind = `${addresses.map(({ text }) => text).join(', ')} is behind ${owner ?? 'a subnet router'}`
    const remedy = 'set "acceptRoutes": true in the config file, or --accept-routes in TS_EXTRA_ARGS'
    return {
      addresses: [],
      problems: [ownPlace(target, world) ?? `${behind}, and this node accepts no routes: ${remedy}`],
    }
  }
  // A family that cannot be forwarded at all is reported by the plan.
  const looked = addresses.map((address) => ({
    address,
    reason: world.kernelFamilies.includes(address.family) ? refusal(address, world) : undefined,
  }))
  const allowed = looked.flatMap(({ address, reason }) => (reason === undefined ? [address] : []))
  return {
    addresses: allowed,
    problems: [
      ...looked.flatMap(({ reason }) => reason ?? []),
      ...allowed.flatMap((address) => overlapWarning(address, world) ?? []),
    ],
  }
}

/** Why an unreachable target could never be a valid one. */
function ownPlace(target: TailnetTarget, world: World): string | undefined {
  if (target.kind === 'address') return refusal(target.address, world)
  const self = world.tailnet.self?.name
  return self !== undefined && nameKey(self) === nameKey(target.name) ? `${target.name} is this node itself` : undefined
}
