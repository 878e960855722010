import { type Mapping, mappingsOf } from '../../netfilter/mappings.ts'
import type { World } from '../world/world.ts'
import { standingPlan } from './reconciler.ts'

/** What the rules that were verified last mean. */
export type Ruleset = {
  /** Undefined if the agent writes no rules. */
  readonly firewall: NonNullable<World['firewall']>['name'] | undefined
  /** tailscaled's device, through which packets for the tailnet leave, or not at all. */
  readonly device: string
  /** With the names of services; undefined until rules are in place. */
  readonly mappings: readonly (Mapping & { readonly service: string | undefined })[] | undefined
  /** Whether what is sent to a Tailscale Service without a mapping is refused. */
  readonly refusesUnmapped: boolean
}

export function rulesetView(world: World): Ruleset {
  const plan = standingPlan(world)
  const { tunnelDevice: device } = world.settings
  const firewall = world.firewall?.name
  if (plan === undefined) return { firewall, device, mappings: undefined, refusesUnmapped: false }
  const { egress, ingress } = plan.services
  const names = new Map([
    ...[...egress.values()].flatMap(({ name, ports }) =>
      ports.map(({ protocol, matchPort }) => [`${protocol}/${matchPort}`, name] as const),
    ),
    ...[...ingress.values()].flatMap(({ name, mappings }) =>
      Object.values(mappings).flatMap(({ address }) => (address === undefined ? [] : [[address.text, name] as const])),
    ),
  ])
  const mappings = mappingsOf(plan.table).map((one) => ({
    ...one,
    service: names.get(one.address ?? one.ports?.[0] ?? ''),
  }))
  return { firewall, device, mappings, refusesUnmapped: plan.table.refuseUnmapped }
}
