import { isDeepStrictEqual } from 'node:util'
import { familyName } from '../lib/address.ts'
import { nothingReachable } from '../netfilter/plan.ts'
import { attemptedPlan, forwardingName, planForwarding } from './facets/forwarding.ts'
import { loginProblem } from './tailscaled/login.ts'
import type { World } from './world.ts'

/** What is not as it should be; empty means ready. */
export function notReady(world: World): string[] {
  const { daemon, tailnet, facets } = world
  if (world.stopping !== undefined) return [`stopping: ${world.stopping}`]
  const reasons: string[] = []
  if (daemon.phase !== 'running' || tailnet.state !== 'Running') reasons.push(loginProblem(world))
  else if (!hasAddress(world)) reasons.push('the node has no address in the tailnet yet')
  if (tailnet.silent !== undefined) reasons.push(`tailscaled does not answer: ${tailnet.silent}`)
  reasons.push(...facetErrors(world))
  const wanted = planForwarding(world)
  if (wanted !== undefined && facets[forwardingName]?.error === undefined) {
    if (wanted === 'guard' || !isDeepStrictEqual(facets[forwardingName]?.desired, wanted)) {
      reasons.push('forwarding: the rules are not in place yet')
    } else if (nothingReachable(wanted)) reasons.push('forwarding: no target can be reached')
  }
  return reasons
}

/** Why facets have failed, each with its name. */
export const facetErrors = ({ facets }: World): string[] =>
  Object.entries(facets).flatMap(([name, { error }]) => (error === undefined ? [] : [`${name}: ${error}`]))

/** Upstream's meaning of healthy (agent.md §10): the node had an address at the last pass. */
export const hasAddress = ({ tailnet }: World): boolean => (tailnet.self?.addresses.length ?? 0) > 0

/** The whole state for people and programs; its shape is documented in docs/operations.md. */
export function statusView(world: World, version: string): Record<string, unknown> {
  const { settings, daemon, tailnet, facets, startedAt, stopping } = world
  const reasons = notReady(world)
  return {
    version,
    ready: reasons.length === 0,
    notReady: reasons,
    startedAt: startedAt?.toISOString() ?? null,
    stopping: stopping ?? null,
    tailscaled: {
      phase: daemon.phase,
      pid: daemon.pid ?? null,
      restarts: daemon.restarts,
      problem: daemon.problem ?? null,
      state: tailnet.state ?? null,
      stateIn: settings.userspace ? `userspace, ${settings.state.kind}` : settings.state.kind,
      loginUrl: tailnet.loginUrl ?? null,
      health: [...tailnet.health.values()],
    },
    node: {
      id: tailnet.self?.id ?? null,
      name: tailnet.self?.name ?? null,
      addresses: tailnet.self?.addresses.map(({ text }) => text) ?? [],
    },
    targets: targetsView(world),
    facets: Object.fromEntries(
      Object.entries(facets).map(([name, { verifiedAt, error, repairs }]) => [
        name,
        { verifiedAt: verifiedAt?.toISOString() ?? null, error: error ?? null, repairs },
      ]),
    ),
  }
}

function targetsView(world: World): Record<string, unknown>[] {
  const plan = attemptedPlan(world)
  const failed = world.facets[forwardingName]?.error
  return world.settings.targets.map((target) => {
    const reason = plan?.unreachable.find((entry) => entry.target.text === target.text)?.reason
    const problem = reason ?? failed ?? (plan === undefined ? 'waiting for the node’s own addresses' : undefined)
    const own =
      plan === undefined ? [] : [...plan.table.ingress[target.family]].filter(([, backend]) => backend === target.text)
    return {
      address: target.text,
      family: familyName(target.family),
      forwarded: problem === undefined,
      problem: problem ?? null,
      from: own.map(([address]) => address),
    }
  })
}
