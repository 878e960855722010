import type { Event } from '../../kube/controller/events.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { listed, some } from '../../lib/some.ts'
import type { Kind, Plan, Report, Seen } from '../kind.ts'
import { annotations, called, readAnnotations, textOf } from '../objects/annotations.ts'
import { invalidService, loadBalancerOf, proxyReady, type State } from '../objects/exposed-service.ts'
import { annotationEvents, exposedUse } from '../objects/ignored.ts'
import { ingresses, pods, secrets, services } from '../objects/resources.ts'
import { specOf } from '../objects/service.ts'
import { presentName } from '../proxy/name.ts'
import type { Device } from '../proxy/request.ts'
import { devicesOf } from '../proxy/seen.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { joinersByChild, joinersOf, sharersOf } from './concerns.ts'
import { type Holder, holderOf, joinedTo } from './holder.ts'
import type { Share } from './join.ts'

/**
 * L3 ingress of a Service that has the name of an Ingress in its namespace: it has no node of its own, and the node of
 * the Ingress forwards its ports.
 */
export const joinedService: Kind = {
  name: 'joined-service',
  resource: services,
  claims: (service, world, settings) => holderOf(service, world, settings) !== undefined,
  plan,
  report,
  concerns: [
    { resource: ingresses, keys: joinersOf },
    { resource: services, keys: sharersOf },
    { resource: pods, keys: joinersByChild },
    { resource: secrets, keys: joinersByChild },
  ],
}

function plan(service: KubeObject, world: World, settings: OperatorSettings): Plan {
  readAnnotations(service, invalidService)
  const holder = holderOf(service, world, settings)
  const { problems } = shareOf(service, holder, world, settings)
  const useless = (['tags', 'proxyClass'] as const).filter((key) => textOf(service, key) !== undefined)
  const names = useless.map((key) => annotations[key].name)
  return {
    proxies: undefined,
    objects: [],
    events: [
      ...annotationEvents(service, exposedUse),
      ...(problems.length > 0 ? [warning(notForwarded(problems))] : []),
      ...(names.length > 0 ? [warning(`without effect, since the node is that of an Ingress: ${listed(names)}`)] : []),
    ],
  }
}

const warning = (message: string): Event => ({ type: 'Warning', reason: invalidService, message })
const notForwarded = (problems: readonly string[]): string => `not forwarded: ${some(problems)}`

function report(service: KubeObject, { refused }: Seen, world: World, settings: OperatorSettings): Report {
  const holder = holderOf(service, world, settings)
  const device = holder?.joins === true ? deviceOf(holder, world) : undefined
  const isBalancer = specOf(service).type === 'LoadBalancer'
  return {
    status: isBalancer
      ? { loadBalancer: device?.fqdn === undefined ? {} : loadBalancerOf(service, device.fqdn, device.addresses) }
      : {},
    conditions: [proxyReady(refused ?? stateOf(device, holder, shareOf(service, holder, world, settings)))],
  }
}

function stateOf(device: Device | undefined, holder: Holder | undefined, { forwarded, problems }: Share): State {
  const whose = holder === undefined ? 'an Ingress' : called(holder.ingress)
  if (holder?.joins !== true) return { pending: `waits until the node of ${whose} gives up the name` }
  if (device === undefined) return { pending: `waits for the node of ${whose}, which has the same name` }
  const joined = `uses the node of ${whose}, ${device.fqdn} (${device.addresses.join(', ')}), for ${listed(forwarded)}`
  if (problems.length === 0) return { ready: joined }
  const rest = forwarded.length === 0 ? '' : `; ${joined}`
  return { as: 'invalid', reason: invalidService, message: notForwarded(problems) + rest }
}

/** What the Ingress's node has of a Service. */
function shareOf(service: KubeObject, holder: Holder | undefined, world: World, settings: OperatorSettings): Share {
  const none: Share = { forwarded: [], problems: [] }
  if (holder?.joins !== true) return none
  return joinedTo(holder.ingress, world, settings).shares.get(keyOf(service.metadata)) ?? none
}

/** The node, when it serves what it is to serve. */
function deviceOf({ ingress: { metadata } }: Holder, world: World): Device | undefined {
  const { namespace = '', name } = metadata
  const parent = { type: 'ingress', namespace, name } as const
  const set = presentName(world, parent)
  const all = set === undefined ? [] : devicesOf(world, parent, set)
  return all.find(({ isCurrent, isReady, fqdn }) => isCurrent && isReady && fqdn !== undefined)
}
