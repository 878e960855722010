import { type CountedModes, placeOf, unmappedPlace } from '../../netfilter/traffic.ts'
import { standingPlan } from '../forwarding/reconciler.ts'
import { namedMappings } from '../forwarding/ruleset.ts'
import type { Settings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import type { Owner } from './accounts.ts'

/** What is counted with these settings; undefined if rules forward nothing between the tailnet and the cluster. */
export function countedModes(settings: Settings): CountedModes | undefined {
  const { userspace, targets, targetName, tailnetTarget, egressServicesDirectory, ingressServicesFile } = settings
  const unmapped = ingressServicesFile !== undefined
  const ingress = unmapped || (!userspace && (targets.length > 0 || targetName !== undefined))
  const egress =
    tailnetTarget !== undefined ? 'together' : egressServicesDirectory === undefined ? undefined : 'by-port'
  return ingress || egress !== undefined ? { device: settings.tunnelDevice, ingress, egress, unmapped } : undefined
}

/** Whose traffic each place has, by the rules that were verified last. */
export function ownersOf(world: World): ReadonlyMap<string, Owner> {
  const plan = standingPlan(world)
  const { tailnetTarget, ingressServicesFile } = world.settings
  const target = tailnetTarget?.kind === 'name' ? tailnetTarget.name : tailnetTarget?.address.text
  const owners = new Map<string, Owner>()
  for (const mapping of plan === undefined ? [] : namedMappings(plan)) {
    const kind = mapping.from === 'tailnet' ? 'ingress' : 'egress'
    const service = kind === 'ingress' ? (mapping.service ?? 'node') : (target ?? mapping.service)
    // Cluster traffic via ingress has neither: it goes to the node itself, and is not forwarded.
    if (service !== undefined) owners.set(placeOf(mapping), { kind, service })
  }
  if (ingressServicesFile !== undefined) owners.set(unmappedPlace, { kind: 'ingress', service: '(unmapped)' })
  return owners
}
