import { families } from '../../lib/address.ts'
import type { Log } from '../../lib/log.ts'
import { memo } from '../../lib/memo.ts'
import { attemptedPlan, forwardingName } from './reconciler.ts'
import { egressStatus, ingressStatus } from './standing.ts'
import { problemTeller } from '../world/log-problems.ts'
import { serviceProblems } from './view.ts'
import type { Store, World } from '../world/world.ts'

/** Says what is forwarded from now on, and what is not and why, until `signal` aborts. */
export function reportTargets(store: Store, log: Log, signal: AbortSignal): void {
  let said = report({ ...store.world, facets: {} })
  const tell = problemTeller('what is forwarded', log, signal)
  store.watch(() => {
    const { facets } = store.world
    const now = report(store.world)
    if (now === said || facets[forwardingName]?.error !== undefined) return
    for (const line of now.lines.filter((text) => !said.lines.includes(text))) log(line)
    tell(now.problems)
    said = now
  }, signal)
}

type Report = { readonly lines: readonly string[]; readonly problems: readonly string[] }

const report = memo(
  (world: World) => [world.settings, attemptedPlan(world), egressStatus(world), ingressStatus(world)],
  (world): Report => ({ lines: linesOf(world), problems: problemsOf(world) }),
)

function linesOf(world: World): string[] {
  const plan = attemptedPlan(world)
  if (plan === undefined) return []
  const { settings } = world
  const { ingress, everything, exempt, masquerade } = plan.table
  const services = [...plan.egress.values(), ...plan.ingress.values()]
  const carried = services.filter((service) => service.carried.length > 0).length
  const hasBackends = settings.targets.length > 0 || settings.ingressServicesFile !== undefined
  return [
    ...families.flatMap((family) =>
      settings.targets.length === 0
        ? []
        : [...ingress[family]].map(([own, backend]) => `forwarding ${own} to ${backend}`),
    ),
    ...families.flatMap((family) =>
      everything[family] === undefined
        ? []
        : [`forwarding IPv${family} from the cluster to ${everything[family]}, all ports but ${exempt.join(', ')}`],
    ),
    ...(services.length > 0 ? [`forwarding ${carried} of ${services.length} services`] : []),
    ...(hasBackends && !masquerade
      ? [
          'masquerade is off, as tailscaled’s NoSNAT preference says: backends see tailnet addresses and need a route back',
        ]
      : []),
  ]
}

function problemsOf(world: World): string[] {
  const plan = attemptedPlan(world)
  if (plan === undefined) return []
  return [
    ...plan.problems,
    ...plan.unreachable.map(({ target, reason }) => `${target.text} gets no traffic: ${reason}`),
    ...serviceProblems(world).map(({ service, problem }) => `${service}: ${problem}`),
  ]
}
