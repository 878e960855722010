import { type Mapping, mappingsOf } from '../../netfilter/mappings.ts'
import { type Counts, placeOf, type Reading } from '../../netfilter/traffic.ts'
import type { World } from '../world/world.ts'
import { type ForwardingDetails, standingPlan } from './reconciler.ts'

/** A mapping with the name of its service, if it is one of a ProxyGroup. */
export type NamedMapping = Mapping & { readonly service: string | undefined }

/** What the rules that were verified last mean. */
export type Ruleset = {
  /** Undefined if the agent writes no rules. */
  readonly firewall: NonNullable<World['firewall']>['name'] | undefined
  /** tailscaled's device, through which packets for the tailnet leave, or not at all. */
  readonly device: string
  /** With the names of services; undefined until rules are in place. */
  readonly mappings: readonly (NamedMapping & { readonly traffic: Counts | undefined })[] | undefined
  /** Whether what is sent to a Tailscale Service without a mapping is refused. */
  readonly refusesUnmapped: boolean
}

/** `read`: what was counted for each mapping, if anything was. */
export function rulesetView(world: World, read: Reading = new Map()): Ruleset {
  const plan = standingPlan(world)
  const { tunnelDevice: device } = world.settings
  const firewall = world.firewall?.name
  if (plan === undefined) return { firewall, device, mappings: undefined, refusesUnmapped: false }
  const mappings = namedMappings(plan).map((one) => ({ ...one, traffic: read.get(placeOf(one)) }))
  return { firewall, device, mappings, refusesUnmapped: plan.table.refuseUnmapped }
}

/** All mappings of a plan. */
export function namedMappings({ services: { egress, ingress }, table }: ForwardingDetails): readonly NamedMapping[] {
  const names = new Map([
    ...[...egress.values()].flatMap(({ name, ports }) =>
      ports.map(({ protocol, matchPort }) => [`${protocol}/${matchPort}`, name] as const),
    ),
    ...[...ingress.values()].flatMap(({ name, mappings }) =>
      Object.values(mappings).flatMap(({ address }) => (address === undefined ? [] : [[address.text, name] as const])),
    ),
  ])
  return mappingsOf(table).map((one) => ({ ...one, service: names.get(one.address ?? one.ports?.[0] ?? '') }))
}
