import { UserError } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import { listed, some } from '../../lib/some.ts'
import { hostnameOf as hostnameOfIngress, invalid as invalidIngress, specOfIngress } from '../l7-ingress/ingress.ts'
import { classEvents } from '../l7-ingress/plan.ts'
import { annotations, readAnnotations, textOf } from '../objects/annotations.ts'
import { hostnameOf, invalidService } from '../objects/exposed-service.ts'
import { annotationEvents, exposedUse } from '../objects/ignored.ts'
import { clusterAddresses, specOf } from '../objects/service.ts'
import { listedPorts, problemsOf } from '../objects/service-ports.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { readGroup } from '../group/group.ts'
import { apiHostname } from './api-group.ts'
import { groupSitesOf, portsWished } from './entries.ts'
import { serviceNameOf } from './names.ts'
import type { Wish } from './owners.ts'
import { recordOf } from './record.ts'

/** What an object asks of the tailnet, and what its user should know of it. */
export type Request = { readonly wish: Wish; readonly events: readonly Event[] }

/** @throws UserError if that is not possible, whatever the tailnet and the group are */
export function requestOf(object: KubeObject, world: World, settings: OperatorSettings): Request {
  if (object.kind === 'ProxyGroup') return ofGroup(object, settings)
  return object.kind === 'Ingress' ? ofIngress(object, world, settings) : ofService(object, settings)
}

function ofGroup(object: KubeObject, settings: OperatorSettings): Request {
  const { kind, metadata } = object
  const resource = { kind, name: metadata.name, uid: metadata.uid ?? '' }
  return { wish: { ...wishOf(object, apiHostname(object), readGroup(object, settings).tags), resource }, events: [] }
}

function ofService(service: KubeObject, settings: OperatorSettings): Request {
  const { hostname, tags } = readAnnotations(service, invalidService)
  if (clusterAddresses(specOf(service)).length === 0)
    throw new UserError(
      invalidService,
      'the Service has no cluster IP, to which the replicas of a ProxyGroup could forward',
      `Give it one, or remove the annotation ${annotations.proxyGroup.name}.`,
    )
  const ports = listedPorts(specOf(service))
  const problems = problemsOf(ports)
  if (problems.length > 0 && problems.length === ports.length)
    throw new UserError(
      invalidService,
      `the Service has no port that could be forwarded: ${some(problems)}`,
      'List ports of TCP or UDP in spec.ports.',
    )
  const useless = (['unprivileged', 'proxyProtocol', 'proxyClass'] as const).filter(
    (key) => textOf(service, key) !== undefined,
  )
  return {
    wish: wishOf(service, hostnameOf(service, hostname), tags ?? settings.proxyTags),
    events: [
      ...annotationEvents(service, exposedUse),
      ...(problems.length === 0 ? [] : [warning(invalidService, `not forwarded: ${some(problems)}`)]),
      ...withoutEffect(invalidService, useless),
    ],
  }
}

function ofIngress(ingress: KubeObject, world: World, settings: OperatorSettings): Request {
  const hostname = hostnameOfIngress(ingress)
  const fqdn = recordOf(world, serviceNameOf(hostname), settings.namespace)?.fqdn
  const { handlers, events, annotations: read } = groupSitesOf(ingress, fqdn, world, settings)
  const hosts = specOfIngress(ingress).tls?.flatMap((one) => one.hosts ?? []) ?? []
  const useless = (['funnel', 'forwardClusterTraffic', 'proxyClass'] as const).filter(
    (key) => textOf(ingress, key) !== undefined,
  )
  return {
    wish: wishOf(ingress, hostname, read.tags ?? settings.proxyTags),
    events: [
      ...annotationEvents(ingress),
      ...events,
      ...(handlers.size > 0 ? [] : [warning('NoValidBackends', 'no path has a backend, so nothing is served')]),
      ...(hosts.length <= 1
        ? []
        : [
            warning(
              invalidIngress,
              `it has one name, that of the first host in spec.tls, ${quote(hosts[0] ?? '', 100)}`,
            ),
          ]),
      ...withoutEffect(invalidIngress, useless),
      ...classEvents(world, settings),
    ],
  }
}

const wishOf = (object: KubeObject, hostname: string, tags: readonly string[]): Wish => ({
  name: serviceNameOf(hostname),
  ports: portsWished(object),
  tags,
})

const warning = (reason: string, message: string): Event => ({ type: 'Warning', reason, message })

const withoutEffect = (reason: string, keys: readonly (keyof typeof annotations)[]): readonly Event[] =>
  keys.length === 0
    ? []
    : [
        warning(
          reason,
          `without effect, since a ProxyGroup serves it: ${listed(keys.map((key) => annotations[key].name))}`,
        ),
      ]
