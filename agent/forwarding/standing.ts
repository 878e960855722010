import { isDeepStrictEqual } from 'node:util'
import type { Address } from '../../lib/address.ts'
import { memo } from '../../lib/memo.ts'
import type { IngressService } from '../../wire/ingress-services.ts'
import { renderEgressStatus, renderIngressStatus, type StatusText } from '../../wire/services-status.ts'
import type { World } from '../world/world.ts'
import { comingPlan, type ForwardingDetails, planForwarding, standingPlan } from './reconciler.ts'

/** Size limit for one status, in bytes: a Secret holds 1 MiB, and the other keys of the state Secret take some KiB. */
const room = 960 * 1024

/**
 * The ProxyGroup egress status for the state Secret: services whose rules are programmed as configured, so that no
 * client is sent here for others, and whose targets are known and have answered. Undefined if the mode is off, and
 * before any rules are known to be programmed.
 */
export const egressStatus = memo(select, (world): StatusText | undefined => {
  const plans = plansOf(world)
  if (world.settings.egressServicesDirectory === undefined || plans === undefined) return undefined
  const { ipv4, ipv6 } = world.settings.pod
  const services = stands('egress', (plan) => plan.services.egress, plans).flatMap(({ service, programmed }) =>
    world.contact.services.has(service.name) ? [{ service, addresses: programmed }] : [],
  )
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
  stands('ingress', (plan) => plan.services.ingress, plans).map(({ service }) => service)

/** Services of this kind whose desired rules are programmed, with their addresses. */
function stands<Service>(
  kind: 'egress' | 'ingress',
  servicesOf: (plan: ForwardingDetails) => ReadonlyMap<string, Service>,
  { wanted, standing, coming }: Plans,
): { readonly service: Service; readonly programmed: readonly Address[] }[] {
  const held = [standing, ...(coming === undefined ? [] : [coming])]
  return [...servicesOf(wanted)].flatMap(([name, service]) => {
    const rules = rulesOf(service)
    const programs = (plan: ForwardingDetails): boolean => (plan[kind].get(name)?.programmed.length ?? 0) > 0
    const stand = held.every((plan) => programs(plan) && isDeepStrictEqual(rulesOf(servicesOf(plan).get(name)), rules))
    return programs(wanted) && stand ? [{ service, programmed: standing[kind].get(name)?.programmed ?? [] }] : []
  })
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
