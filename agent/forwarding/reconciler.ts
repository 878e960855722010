import { families, type Family, familyName } from '../../lib/address.ts'
import { memo } from '../../lib/memo.ts'
import type { Firewall, IsGone } from '../../netfilter/backend.ts'
import { type ForwardingPlan, planForwardingTable } from '../../netfilter/plan.ts'
import type { EgressService } from '../../wire/egress-services.ts'
import type { IngressService } from '../../wire/ingress-services.ts'
import type { Settings } from '../settings/settings.ts'
import { isGoneBackend, isUnresolved, targetsOf } from '../targets/destination.ts'
import { needsPeers } from '../targets/needs-peers.ts'
import { ingressPorts } from '../targets/ports.ts'
import { resolveTarget } from '../targets/resolve.ts'
import { usableTarget } from '../targets/usable.ts'
import type { Reconciler } from '../world/reconciler.ts'
import { reconcilerKey, reportOf } from '../world/reports.ts'
import type { World } from '../world/world.ts'
import { forwards } from './forwards.ts'

/** The rules, and why targets cannot be reached: for L3 egress, and for each ProxyGroup egress service. */
export type ForwardingDetails = ForwardingPlan & {
  readonly services: {
    readonly egress: ReadonlyMap<string, EgressService>
    readonly ingress: ReadonlyMap<string, IngressService>
  }
  readonly problems: readonly string[]
  readonly serviceProblems: ReadonlyMap<string, readonly string[]>
}

/**
 * Until all inputs of the rules are known, only the guard, next to the rules of an earlier container; then the rules.
 */
export type ForwardingDesired = 'guard' | ForwardingDetails

export const forwardingKey = reconcilerKey<ForwardingDesired>('forwarding')

/** The desired rules. Undefined if the agent does not forward. */
export function planForwarding(world: World): ForwardingDesired | undefined {
  if (!forwards(world)) return undefined
  const { settings, tailnet } = world
  if (tailnet.self === undefined || tailnet.self.addresses.length === 0) return 'guard'
  if (needsPeers(settings) && tailnet.peers === undefined) return 'guard'
  if (isUnresolved(world)) return 'guard'
  return details(world)
}

const details = memo(
  (world: World) => [
    world.settings,
    world.kernelFamilies,
    world.destination?.addresses,
    world.network,
    world.tailnet.self,
    world.tailnet.noSnat,
    world.tailnet.peers,
    world.tailnet.records,
    world.tailnet.acceptsRoutes,
    world.mounted.egressServices?.content,
    world.mounted.ingressServices?.content,
    ingressPorts(world).byRules,
  ],
  (world): ForwardingDetails => {
    const { settings, kernelFamilies, tailnet, mounted } = world
    const egress = mounted.egressServices?.content?.services ?? new Map<string, EgressService>()
    const ingress = mounted.ingressServices?.content?.services ?? new Map<string, IngressService>()
    const own = tailnet.self?.addresses ?? []
    const target = settings.tailnetTarget && usableTarget(settings.tailnetTarget, world)
    const services = [...egress.values()].map((service) => ({ ...service, ...usableService(service, world) }))
    const plan = planForwardingTable({
      device: settings.tunnelDevice,
      own,
      kernelFamilies,
      podFamilies: podFamilies(settings),
      noSnat: tailnet.noSnat,
      targets: targetsOf(world),
      targetPorts: ingressPorts(world).byRules,
      catchAll: target?.addresses ?? own.filter(({ family }) => settings.viaIngress.includes(family)),
      exempt: settings.exempt,
      egress: services,
      ingress:
        settings.ingressServicesFile === undefined
          ? undefined
          : [...ingress.values()].map(({ name, mappings }) => ({ name, mappings: Object.values(mappings) })),
    })
    return {
      ...plan,
      services: { egress, ingress },
      problems:
        target?.problems ??
        settings.viaIngress
          .filter((family) => own.every((address) => address.family !== family))
          .map((family) => `the node has no ${familyName(family)} address in the tailnet to lead the Pod’s to`),
      serviceProblems: new Map(
        services.flatMap(({ name, problems }) => (problems.length > 0 ? [[name, problems]] : [])),
      ),
    }
  },
)

/** The addresses that a service may be forwarded to: none if it takes a port that answers probes. */
function usableService({ target, ports }: EgressService, world: World): ReturnType<typeof usableTarget> {
  const taken = ports.find(({ protocol, matchPort }) => world.settings.exempt.includes(`${protocol} . ${matchPort}`))
  if (taken === undefined) return usableTarget(target, world)
  const port = `${taken.protocol.toUpperCase()} port ${taken.matchPort}`
  return {
    addresses: [],
    problems: [`${port} of this Pod is the agent’s or tailscaled’s own: choose another matchPort`],
  }
}

/** The address families of the Pod; all families if its addresses are unknown. */
function podFamilies({ pod }: Settings): readonly Family[] {
  const given = families.filter((family) => (family === 4 ? pod.ipv4 : pod.ipv6) !== '')
  return given.length > 0 ? given : families
}

/**
 * Reconciles the forwarding rules of the network namespace. Calls `standing` once they were verified for the first
 * time.
 */
export function forwardingReconciler(
  firewall: Pick<Firewall, 'prepare' | 'ensure'>,
  standing: () => Promise<unknown>,
): Reconciler<ForwardingDesired> {
  let stood = false
  return {
    key: forwardingKey,
    plan: planForwarding,
    apply: async (desired, world) => {
      if (desired === 'guard') return firewall.prepare(world.settings.tunnelDevice)
      const changed = await firewall.ensure(desired.table, isGone(world))
      if (!stood) await standing()
      stood = true
      return changed
    },
  }
}

/** The plan of the last attempt; undefined while there is only the guard. */
export const attemptedPlan = (world: World): ForwardingDetails | undefined => planOf(world, 'desired')

/** The plan whose rules were verified last. It survives a later failure, unless the rules were found to be gone. */
export const standingPlan = (world: World): ForwardingDetails | undefined => planOf(world, 'verified')

/** The plan that is being applied; undefined if none is. */
export const comingPlan = (world: World): ForwardingDetails | undefined => planOf(world, 'attempting')

function planOf(world: World, which: 'desired' | 'verified' | 'attempting'): ForwardingDetails | undefined {
  const plan = reportOf(world, forwardingKey)?.[which]
  return plan === 'guard' ? undefined : plan
}

/** Whether the flows of an address must end: it has left the tailnet (own address or target) or the backends. */
export const isGone =
  (world: World): IsGone =>
  (kind, address) => {
    const { settings, tailnet } = world
    if (kind === 'backend') return isGoneBackend(world, address)
    if (kind === 'target') {
      return tailnet.peers !== undefined && 'problem' in resolveTarget({ kind: 'address', address }, tailnet)
    }
    // Removing an address of a Tailscale Service keeps its open connections.
    if (tailnet.self === undefined || settings.ingressServicesFile !== undefined) return false
    return tailnet.self.addresses.every(({ text }) => text !== address.text)
  }
