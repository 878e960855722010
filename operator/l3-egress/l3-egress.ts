import { UserError } from '../../kube/controller/controller.ts'
import type { Kind } from '../kind.ts'
import { annotations as table, proxyClassOf, readAnnotations } from '../objects/annotations.ts'
import { hasTarget } from '../objects/exposed.ts'
import { hostnameOf, invalidService, proxyReady, stateOf } from '../objects/exposed-service.ts'
import { annotationEvents, egressUse } from '../objects/ignored.ts'
import { groupsLeft, waitForGroup } from '../objects/name-in-group.ts'
import { services } from '../objects/resources.ts'
import { sameNameAs } from '../objects/same-name.ts'
import type { Variable } from '../proxy/request.ts'
import { accessPolicy } from './access.ts'
import { restore, rewrite } from './rewrite.ts'
import { type EgressTarget, targetOf } from './target.ts'

const variableOf = ({ ip, fqdn }: EgressTarget['target']): Variable =>
  ip === '' ? { name: 'TS_TAILNET_TARGET_FQDN', value: `${fqdn}.` } : { name: 'TS_TAILNET_TARGET_IP', value: ip }

/**
 * L3 egress: a Service that names a target in the tailnet becomes another name of a proxy, which forwards everything
 * that it receives to the target.
 */
export const l3Egress: Kind = {
  name: 'l3-egress',
  resource: services,
  claims: (service) => service.metadata.annotations?.[table.proxyGroup.name] === undefined && hasTarget(service),
  plan: (service, world, settings) => {
    const { namespace, defaultProxyClass } = settings
    const { hostname, tags = [], unprivileged, allowFrom, ...asked } = readAnnotations(service, invalidService)
    const { target, isRouted } = targetOf(asked)
    if (unprivileged === true) {
      const why = `annotation ${table.unprivileged.name}: egress needs a proxy that may forward packets in the kernel`
      throw new UserError(invalidService, why, 'Remove it.')
    }
    const name = hostnameOf(service, hostname)
    waitForGroup('svc', service, name, world)
    return {
      proxies: {
        type: 'svc',
        app: 'k8s-operator-egress-proxy',
        hostnames: [name],
        tags,
        mode: 'kernel',
        variables: [variableOf(target)],
        device: isRouted ? { acceptRoutes: true } : {},
        serveConfig: undefined,
        proxyClass: proxyClassOf(service, defaultProxyClass),
        metrics: undefined,
        ownOptions: [],
      },
      objects: allowFrom === undefined ? [] : [accessPolicy(service, namespace, allowFrom)],
      events: [...annotationEvents(service, egressUse), ...sameNameAs(service, name, world, settings)],
    }
  },
  report: (service, seen, _world, settings) => ({
    status: {},
    conditions: [proxyReady(stateOf(seen, settings))],
    ...(seen.name !== undefined && seen.refused === undefined && { patch: rewrite(service, seen.name, settings) }),
  }),
  release: restore,
  concerns: [groupsLeft(services)],
}
