import type { Firewall } from '../../netfilter/firewall.ts'
import { type IngressPlan, planIngress } from '../../netfilter/plan.ts'
import type { Facet } from '../facet.ts'
import type { World } from '../world.ts'

export const forwardingName = 'forwarding'

/** Before the node's own addresses are known there is a guard, and no more; then the rules. */
export type ForwardingDesired = 'guard' | IngressPlan

/** Whether this agent forwards in the kernel at all: otherwise it needs neither NET_ADMIN nor nft. */
export const forwards = ({ settings }: Pick<World, 'settings'>): boolean =>
  !settings.userspace && settings.targets.length > 0

/** What the rules should be. Undefined where the agent does not forward. */
export function planForwarding(world: World): ForwardingDesired | undefined {
  if (!forwards(world)) return undefined
  const { self, noSnat } = world.tailnet
  if (self === undefined || self.addresses.length === 0) return 'guard'
  const { settings, kernelFamilies } = world
  return planIngress({ targets: settings.targets, own: self.addresses, kernelFamilies, noSnat })
}

/** The forwarding rules of the network namespace. */
export const forwardingFacet = (firewall: Firewall): Facet<ForwardingDesired> => ({
  name: forwardingName,
  plan: planForwarding,
  apply: (desired) => (desired === 'guard' ? firewall.prepare() : firewall.ensure(desired.table)),
})

/** The plan last attempted; undefined as long as there is only the guard. */
export function attemptedPlan(world: World): IngressPlan | undefined {
  const desired = world.facets[forwardingName]?.desired as ForwardingDesired | undefined
  return desired === 'guard' ? undefined : desired
}
