import { families } from '../lib/address.ts'
import type { Log } from '../lib/log.ts'
import { memo } from '../lib/memo.ts'
import { attemptedPlan, forwardingName } from './facets/forwarding.ts'
import { egressStatus, ingressStatus } from './facets/services-status.ts'
import { serviceProblems } from './services-view.ts'
import type { Store, World } from './world.ts'

/** So many lines are said at once; the others are counted, and are in the status. */
const maxLines = 20
/** What has been said is not said again for so long, in ms. */
const quiet = 60_000

/** Says what is forwarded from now on, and what is not and why, until `signal` aborts. */
export function reportTargets(store: Store, log: Log, signal: AbortSignal): void {
  let now = new Set<string>()
  const said = new Map<string, number>()
  store.watch(() => {
    const { facets } = store.world
    if (facets[forwardingName]?.error !== undefined) return
    const before = now
    now = lines(store.world)
    if (now === before) return
    const time = performance.now()
    const fresh = [...now].filter((line) => !before.has(line) && time - (said.get(line) ?? -quiet) >= quiet)
    for (const line of fresh.slice(0, maxLines)) log(line)
    if (fresh.length > maxLines) log(`and ${fresh.length - maxLines} more such lines; \`culvert status\` has them all`)
    for (const line of fresh) said.set(line, time)
    for (const [line, at] of said) if (time - at >= quiet) said.delete(line)
  }, signal)
}

const lines = memo(
  (world: World) => [world.settings, attemptedPlan(world), egressStatus(world), ingressStatus(world)],
  (world) => new Set(linesOf(world)),
)

function linesOf(world: World): string[] {
  const plan = attemptedPlan(world)
  if (plan === undefined) return []
  const { table } = plan
  const { settings } = world
  const services = settings.egressServicesDirectory !== undefined || settings.ingressServicesFile !== undefined
  return [
    ...families.flatMap((family) => [
      ...(settings.targets.length === 0
        ? []
        : [...table.ingress[family]].map(([own, backend]) => `forwarding ${own} to ${backend}`)),
      ...(table.everything[family] === undefined
        ? []
        : [
            `forwarding IPv${family} from the cluster to ${table.everything[family]}, all but ${table.exempt.join(', ')}`,
          ]),
    ]),
    ...(table.masquerade || (settings.targets.length === 0 && settings.ingressServicesFile === undefined)
      ? []
      : [
          'masquerade is off, as tailscaled’s NoSNAT preference says: backends see tailnet addresses and need a route back',
        ]),
    ...(services
      ? [
          `services forwarded: ${[...plan.egress.values(), ...plan.ingress.values()].filter(({ carried }) => carried.length > 0).length} of ${plan.egress.size + plan.ingress.size}`,
        ]
      : []),
    ...plan.problems.map((problem) => `warning: ${problem}`),
    ...plan.unreachable.map(({ target, reason }) => `warning: ${target.text} gets no traffic: ${reason}`),
    ...serviceProblems(world).map(({ service, problem }) => `warning: ${service}: ${problem}`),
    ...[egressStatus(world), ingressStatus(world)].flatMap((status) =>
      status === undefined || status.omitted.length === 0
        ? []
        : [
            `warning: the state Secret has no room for ${status.omitted.length} services, which are forwarded but not listed there: ${status.omitted.slice(0, 5).join(', ')}${status.omitted.length > 5 ? ', …' : ''}`,
          ],
    ),
  ]
}
