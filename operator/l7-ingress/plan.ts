import type { Event } from '../../kube/controller/events.ts'
import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import type { Plan } from '../kind.ts'
import { called, proxyClassOf } from '../objects/annotations.ts'
import { annotationEvents } from '../objects/ignored.ts'
import { waitForGroup } from '../objects/name-in-group.ts'
import { ingressClasses } from '../objects/resources.ts'
import { sameName } from '../objects/same-name.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { hasNode, joinedTo, joiningServices, rivalsOf } from './holder.ts'
import { hostnameOf, invalid, nameInStatus, specOfIngress } from './ingress.ts'
import { serveConfigOf } from './serve-config.ts'
import { type Sites, sitesOf } from './sites.ts'

/** The controller of the IngressClass, as Tailscale's operator has it. */
const controller = 'tailscale.com/ts-ingress'

/** The proxy that an Ingress and the Services that join it are to have. */
export function plan(ingress: KubeObject, world: World, settings: OperatorSettings): Plan {
  const sites = sitesOf(ingress, world, settings)
  const { annotations } = sites
  const hostname = hostnameOf(ingress)
  waitForName(ingress, hostname, joiningServices(ingress, world, settings))
  waitForGroup('ingress', ingress, hostname, world)
  const { tcp, udp } = joinedTo(ingress, world, settings)
  const forwards = annotations.forwardClusterTraffic === true
  return {
    proxies: {
      type: 'ingress',
      app: 'k8s-operator-ingress-resource',
      hostnames: [hostname],
      tags: annotations.tags ?? [],
      mode: forwards ? 'kernel' : 'userspace',
      variables: [...(forwards ? forwarding : []), ...udp, requests],
      device: {},
      serveConfig: serveConfigOf(sites, tcp),
      proxyClass: proxyClassOf(ingress, settings.defaultProxyClass),
      metrics: forwards ? undefined : 'ingress_resource',
      ownOptions: [],
    },
    objects: [],
    events: [
      ...annotationEvents(ingress),
      ...sites.events,
      ...siteEvents(ingress, sites),
      ...sameName(hostname, rivalsOf(ingress, world, settings)),
      ...classEvents(world, settings),
    ],
  }
}

/** The cluster uses the node by its Pod's address, which tailscaled 1.104 does not serve unless it is told to. */
const forwarding = ['EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS', 'TS_SERVE_ALLOW_ALL_INTERFACES'].map(
  (name) => ({ name, value: 'true' }),
)

/** Otherwise nobody would learn before the first connection that there is no certificate. */
const requests = { name: 'CULVERT_REQUEST_CERTIFICATE', value: 'true' }

/** @throws UserError while a Service's own node has the name: the node of the Ingress would get another one */
function waitForName(ingress: KubeObject, hostname: string, joining: readonly KubeObject[]): void {
  const other = joining.find(hasNode)
  if (other === undefined || nameInStatus(ingress) === hostname.toLowerCase()) return
  throw new UserError(
    'NameInUse',
    `${called(other)} has a node with the same name, which is removed first: the Service will use that of the Ingress`,
  )
}

const warning = (reason: string, message: string): Event => ({ type: 'Warning', reason, message })

function siteEvents(ingress: KubeObject, { annotations, handlers }: Sites): Event[] {
  const [first = '', ...others] = specOfIngress(ingress).tls?.flatMap(({ hosts = [] }) => hosts) ?? []
  return [
    ...(handlers.size > 0 ? [] : [warning('NoValidBackends', 'no path has a backend, so nothing is served')]),
    ...(annotations.httpEndpoint === true ? [warning(invalid, endpointHint)] : []),
    ...(others.length === 0
      ? []
      : [
          warning(
            invalid,
            `the node has one name, that of the first host in spec.tls: ${quote(first, 100)}; others are ignored`,
          ),
        ]),
  ]
}

const endpointHint =
  'annotation tailscale.com/http-endpoint has no effect: it is for Ingresses of a ProxyGroup. For redirects to HTTPS there is tailscale.com/http-redirect'

/** Whether the class of our Ingresses is what it should be. */
export function classEvents(world: World, { ingressClass }: Pick<OperatorSettings, 'ingressClass'>): Event[] {
  const present = world.get(ingressClasses, ingressClass)
  const { controller: found = '' } = (present?.['spec'] ?? {}) as { controller?: string }
  if (found === controller) return []
  const problem = present === undefined ? 'does not exist' : `has the controller ${quote(found, 100)}`
  return [warning(invalid, `IngressClass "${ingressClass}" ${problem}; it should have the controller "${controller}"`)]
}
