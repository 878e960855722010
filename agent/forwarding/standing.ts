import { isDeepStrictEqual } from 'node:util'
import { memo } from '../../lib/memo.ts'
import type { IngressService } from '../../wire/ingress-services.ts'
import { renderEgressStatus, renderIngressStatus, type StatusText } from '../../wire/services-status.ts'
import type { World } from '../world/world.ts'
import { comingPlan, type ForwardingDetails, planForwarding, standingPlan } from './reconciler.ts'

/** Size limit for one status, in bytes: a Secret holds 1 MiB, and the other keys of the state Secret take some KiB. */
const room = 960 * 1024

/**
 * The ProxyGroup egress status for the state Secret: services whose rules are programmed, so that no client is sent here
 * for others, and whose targets are known and have answered. One that changes is listed as it was until its rules are
 * programmed as configured: without it, its clients would be led away for that time, mostly from all replicas at once.
 * Undefined if the mode is off, and before any rules are known to be programmed.
 */
export const egressStatus = memo(select, (world): StatusText | undefined => {
  const plans = plansOf(world)
  if (world.settings.egressServicesDirectory === undefined || plans === undefined) return undefined
  const { ipv4, ipv6 } = world.settings.pod
  const { wanted, standing, coming = standing } = plans
  const services = [...wanted.services.egress].flatMap(([name, service]) => {
    const isMeant = programs(wanted, 'egress', name) && programs(coming, 'egress', name)
    if (!isMeant || !world.contact.services.has(name)) return []
    const before = standing.services.egress.get(name)
    // One that is wanted again as it was may have been replaced by now.
    const isBefore = !isDeepStrictEqual(rulesOf(before), rulesOf(service))
    const listed = stands('egress', name, plans) ? service : isBefore ? before : undefined
    const addresses = standing.egress.get(name)?.programmed ?? []
    return listed === undefined || addresses.length === 0 ? [] : [{ service: listed, addresses }]
  })
  return renderEgressStatus({ podIPv4: ipv4, podIPv6: ipv6, services }, share(world))
})

/**
 * The same for ProxyGroup ingress, whether or not the node hosts the Tailscale Service yet: hosting comes afterwards.
 */
export const ingressStatus = memo(select, (world): StatusText | undefined => {
  const plans = plansOf(world)
  if (world.settings.ingressServicesFile === undefined || plans === undefined) return undefined
  const { ipv4, ipv6 } = world.settings.pod
  const services = ingressStanding(plans)
  return renderIngressStatus({ podIPv4: ipv4, podIPv6: ipv6, services }, share(world))
})

/** Names of the Tailscale Services that are forwarded as configured. */
export const forwardedServices = memo(select, (world): ReadonlySet<string> => {
  const plans = plansOf(world)
  return new Set(plans === undefined ? [] : ingressStanding(plans).map(({ name }) => name))
})

const ingressStanding = (plans: Plans): IngressService[] =>
  [...plans.wanted.services.ingress.values()].filter(({ name }) => stands('ingress', name, plans))

type Kind = 'egress' | 'ingress'

const programs = (plan: ForwardingDetails, kind: Kind, name: string): boolean =>
  (plan[kind].get(name)?.programmed.length ?? 0) > 0

/** Whether the desired rules of a service are programmed. */
function stands(kind: Kind, name: string, { wanted, standing, coming }: Plans): boolean {
  const rules = rulesOf(wanted.services[kind].get(name))
  return [wanted, standing, ...(coming === undefined ? [] : [coming])].every(
    (plan) => programs(plan, kind, name) && isDeepStrictEqual(rulesOf(plan.services[kind].get(name)), rules),
  )
}

/** The part of a service that its rules depend on, without the health URL. */
const rulesOf = (service: unknown): unknown =>
  typeof service === 'object' ? { ...service, healthCheckEndpoint: '' } : service

type Plans = {
  readonly wanted: ForwardingDetails
  readonly standing: ForwardingDetails
  readonly coming: ForwardingDetails | undefined
}

function select(world: World): readonly unknown[] {
  return [world.settings, planForwarding(world), standingPlan(world), comingPlan(world), world.contact]
}

function plansOf(world: World): Plans | undefined {
  const [wanted, standing] = [planForwarding(world), standingPlan(world)]
  if (wanted === undefined || wanted === 'guard' || standing === undefined) return undefined
  return { wanted, standing, coming: comingPlan(world) }
}

const share = ({ settings }: World): number =>
  settings.egressServicesDirectory !== undefined && settings.ingressServicesFile !== undefined ? room / 2 : room
