import { memo } from '../../lib/memo.ts'
import { attemptedPlan } from './reconciler.ts'
import { egressStatus, ingressStatus } from './standing.ts'
import type { World } from '../world/world.ts'

/** Why a service, or one of its addresses, gets no traffic. */
export type ServiceProblem = { readonly service: string; readonly problem: string }

/** Why planned services of ProxyGroup egress and ingress get no traffic, or less than they could. */
export const serviceProblems = memo(
  (world: World) => [attemptedPlan(world), egressStatus(world), ingressStatus(world)],
  problemsOf,
)

function problemsOf(world: World): ServiceProblem[] {
  const plan = attemptedPlan(world)
  if (plan === undefined) return []
  const unlisted = [egressStatus(world), ingressStatus(world)].flatMap((status) => status?.omitted ?? [])
  return [
    ...[...plan.serviceProblems].flatMap(([service, problems]) => problems.map((problem) => ({ service, problem }))),
    ...[...plan.egress, ...plan.ingress].flatMap(([service, { unreachable }]) =>
      unreachable.map(({ target, reason }) => ({ service, problem: `${target.text} gets no traffic: ${reason}` })),
    ),
    ...unlisted.map((service) => ({
      service,
      problem: 'it is forwarded, but the state Secret has no room to list it',
    })),
  ]
}

/** Each service with its target, for the status; docs/operations.md documents the shape. */
export function servicesView(world: World): Record<string, unknown>[] {
  const plan = attemptedPlan(world)
  if (plan === undefined) return []
  const problems = Map.groupBy(serviceProblems(world), ({ service }) => service)
  const reasons = (name: string): string[] => (problems.get(name) ?? []).map(({ problem }) => problem)
  return [
    ...[...plan.services.egress.values()].map(({ name, ports, tailnetTarget }) => ({
      name,
      kind: 'egress',
      target: tailnetTarget.ip || tailnetTarget.fqdn,
      addresses: (plan.egress.get(name)?.programmed ?? []).map(({ text }) => text),
      ports: ports.map(({ protocol, matchPort, targetPort }) => `${matchPort}/${protocol} → ${targetPort}`),
      problems: reasons(name),
    })),
    ...[...plan.services.ingress.values()].map(({ name, mappings }) => ({
      name,
      kind: 'ingress',
      hosted: world.tailnet.hosted?.includes(name) ?? null,
      mappings: (plan.ingress.get(name)?.programmed ?? []).map(
        ({ family, text }) => `${text} → ${mappings[family]?.backend.text}`,
      ),
      problems: reasons(name),
    })),
  ]
}
