import { families } from '../../lib/address.ts'
import type { LogEvent } from '../../lib/log-event.ts'
import { memo } from '../../lib/memo.ts'
import { listed } from '../../lib/some.ts'
import { nothingReachable } from '../../netfilter/plan.ts'
import { rangeText } from '../../netfilter/port-ranges.ts'
import { backendsOf } from '../../netfilter/table.ts'
import { targetsOf } from '../targets/destination.ts'
import { ingressPorts, portProblems } from '../targets/ports.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import { reportOf } from '../world/reports.ts'
import type { World } from '../world/world.ts'
import { attemptedPlan, forwardingKey } from './reconciler.ts'
import { egressStatus, ingressStatus } from './standing.ts'
import { serviceProblems } from './view.ts'
import { events } from './log-events.ts'

/** Logs what is forwarded from now on, and what is not and why, until `signal` aborts. */
export function reportTargets(context: Pick<Context, 'store' | 'log' | 'clock' | 'signal'>): void {
  const { store, log, signal } = context
  let said = report({ ...store.world, reports: {} })
  const problems = logProblems('what is forwarded', events.problem, context)
  store.watch(() => {
    const now = report(store.world)
    if (now === said || reportOf(store.world, forwardingKey)?.error !== undefined) return
    for (const line of now.lines) if (!said.lines.some(({ text }) => text === line.text)) log(line)
    problems(now.problems)
    said = now
  }, signal)
}

type Report = { readonly lines: readonly LogEvent[]; readonly problems: readonly string[] }

const report = memo(
  (world: World) => [
    world.settings,
    attemptedPlan(world),
    ingressPorts(world),
    egressStatus(world),
    ingressStatus(world),
  ],
  (world): Report => ({ lines: linesOf(world), problems: problemsOf(world) }),
)

function linesOf(world: World): LogEvent[] {
  const plan = attemptedPlan(world)
  if (plan === undefined) return []
  const { settings } = world
  const targets = targetsOf(world)
  const { own, ingressByPort, catchAll, exempt, masquerade } = plan.table
  const services = [...plan.egress.values(), ...plan.ingress.values()]
  const programmed = services.filter((service) => service.programmed.length > 0).length
  const hasBackends = targets.length > 0 || settings.ingressServicesFile !== undefined
  return [
    ...families.flatMap((family) =>
      targets.length === 0
        ? []
        : [...own[family].keys()].map((address) => {
            const to = { address, backends: listed(backendsOf(plan.table, family, address)) }
            const ports = ingressByPort[family]?.ports
            return ports === undefined
              ? events.toBackends(to)
              : events.portsToBackends({ ...to, ports: listed(ports.map(rangeText)) || 'no port' })
          }),
    ),
    ...families.flatMap((family) => {
      const target = catchAll[family]
      return target === undefined ? [] : [events.fromCluster({ family, target, exempt: exempt.join(', ') })]
    }),
    ...(services.length > 0 ? [events.services({ count: programmed, all: services.length })] : []),
    ...(hasBackends && !masquerade ? [events.unmasked()] : []),
  ]
}

function problemsOf(world: World): string[] {
  const plan = attemptedPlan(world)
  if (plan === undefined) return []
  // A name may have addresses of a family that is not forwarded, as long as the other is.
  const unreachable = world.destination !== undefined && !nothingReachable(plan) ? [] : plan.unreachable
  return [
    ...plan.problems,
    ...portProblems(world),
    ...unreachable.map(({ target, reason }) => `${target.text} gets no traffic: ${reason}`),
    ...serviceProblems(world).map(({ service, problem }) => `${service}: ${problem}`),
  ]
}
