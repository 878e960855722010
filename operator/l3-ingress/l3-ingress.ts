import { UserError } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { parseAddress } from '../../lib/address.ts'
import { some } from '../../lib/some.ts'
import type { Kind, Plan, Seen } from '../kind.ts'
import { annotations as table, readAnnotations, textOf } from '../objects/annotations.ts'
import { proxyClassOf } from '../objects/class-of.ts'
import { isExposed } from '../objects/exposed.ts'
import { hostnameOf, invalidService, loadBalancerOf, proxyReady, stateOf } from '../objects/exposed-service.ts'
import { annotationEvents, exposedUse } from '../objects/ignored.ts'
import { groupsLeft, waitForGroup } from '../objects/name-in-group.ts'
import { services } from '../objects/resources.ts'
import { sameNameAs } from '../objects/same-name.ts'
import { clusterAddresses, dnsName, specOf } from '../objects/service.ts'
import type { OwnOption, Variable } from '../proxy/request.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { forbiddenBy } from '../world/pod-security.ts'
import type { World } from '../world/world.ts'
import { portsOf } from './ports.ts'

/** L3 ingress: the ports of a Service are reachable from the tailnet, at a node of its own. */
export const l3Ingress: Kind = {
  name: 'l3-ingress',
  resource: services,
  claims: (service, _world, settings) => isExposed(service, settings),
  plan,
  report: (service, seen, world, settings) => ({
    status:
      specOf(service).type === 'LoadBalancer'
        ? { loadBalancer: balancerOf(service, seen, forcedBy(service, world, settings) !== undefined) }
        : {},
    conditions: [proxyReady(stateOf(seen, settings))],
  }),
  concerns: [groupsLeft(services)],
}

function plan(service: KubeObject, world: World, settings: OperatorSettings): Plan {
  const { hostname, tags = [], unprivileged, proxyProtocol } = readAnnotations(service, invalidService)
  const ports = portsOf(specOf(service))
  const why = forcedBy(service, world, settings)
  const needsPorts = [
    ...(why === undefined ? [] : [why]),
    ...(proxyProtocol === undefined ? [] : [`annotation ${table.proxyProtocol.name}`]),
  ]
  if (ports.list === '' && (needsPorts.length > 0 || ports.problems.length > 0))
    throw noPorts(needsPorts, ports.problems)
  const name = hostnameOf(service, hostname)
  waitForGroup('svc', service, name, world)
  return {
    proxies: {
      type: 'svc',
      app: 'k8s-operator-ingress-proxy',
      hostnames: [name],
      tags,
      mode: why === undefined ? 'kernel' : 'userspace',
      variables: [
        targetOf(service, settings),
        ...(ports.list === '' ? [] : [{ name: 'CULVERT_DEST_PORTS', value: ports.list }]),
        ...(proxyProtocol === undefined ? [] : [{ name: 'CULVERT_PROXY_PROTOCOL', value: String(proxyProtocol) }]),
      ],
      device: {},
      serveConfig: undefined,
      proxyClass: proxyClassOf(service, settings.defaultProxyClass),
      metrics: 'ingress_service',
      ownOptions: [
        ...(why === undefined ? [] : [essential(why)]),
        // A backend that expects the header would take the beginning of a connection for it.
        ...(proxyProtocol === undefined ? [] : [essential(`annotation ${table.proxyProtocol.name}`)]),
        ...(ports.areMapped ? [{ setBy: 'a targetPort of a headless Service that differs from its port' }] : []),
      ],
    },
    objects: [],
    events: [
      ...annotationEvents(service, exposedUse),
      ...sameNameAs(service, name, world, settings),
      ...(ports.problems.length === 0 ? [] : [warning(`not forwarded: ${some(ports.problems)}`)]),
      ...(why !== undefined && unprivileged === undefined
        ? [warning(`the proxy forwards only the listed ports and no ICMP, because of ${why}`)]
        : []),
    ],
  }
}

/** What makes the proxy do without privileges, if something does. */
function forcedBy(service: KubeObject, world: World, { namespace }: OperatorSettings): string | undefined {
  const asked = textOf(service, 'unprivileged')
  if (asked === 'true') return `annotation ${table.unprivileged.name}`
  const level = asked === undefined ? forbiddenBy(world, namespace) : undefined
  return level && `the Pod Security level ${level} of namespace "${namespace}"`
}

const essential = (setBy: string): OwnOption => ({ setBy, isEssential: true })
const warning = (message: string): Event => ({ type: 'Warning', reason: invalidService, message })

function noPorts(needsPorts: readonly string[], problems: readonly string[]): UserError {
  const [need] = needsPorts
  const reasons = problems.length === 0 ? '' : `: ${some(problems)}`
  return new UserError(
    invalidService,
    `the Service has no port that could be forwarded${need === undefined ? '' : `, and ${need} needs one`}${reasons}`,
    'List its ports in spec.ports.',
  )
}

/** Where the agent sends what it receives: names are resolved again and again. */
function targetOf(service: KubeObject, { clusterDomain }: OperatorSettings): Variable {
  const spec = specOf(service)
  const byName = (value: string): Variable => ({ name: 'TS_EXPERIMENTAL_DEST_DNS_NAME', value })
  if (spec.type === 'ExternalName') return byName(spec.externalName ?? '')
  const addresses = clusterAddresses(spec)
  return addresses.length === 0
    ? byName(dnsName(service, clusterDomain))
    : { name: 'TS_DEST_IP', value: addresses.join(',') }
}

/**
 * The node's name and addresses; those of a family that the kernel has no target of would lead nowhere. What is known
 * stays while the proxy restarts.
 */
function balancerOf(service: KubeObject, { devices: [device] }: Seen, isUserspace: boolean) {
  if (device?.fqdn === undefined) return {}
  const familyOf = (address: string) => parseAddress(address)?.family
  const families = new Set(clusterAddresses(specOf(service)).map(familyOf))
  const leadsOn = (address: string): boolean => isUserspace || families.size === 0 || families.has(familyOf(address))
  return loadBalancerOf(service, device.fqdn, device.addresses.filter(leadsOn))
}
