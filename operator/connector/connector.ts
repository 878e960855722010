import * as z from 'zod/mini'
import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { some } from '../../lib/some.ts'
import type { Kind, Report, Seen } from '../kind.ts'
import { connectors } from '../objects/resources.ts'
import type { Unapproved } from '../proxy/approval.ts'
import { configSecret } from '../proxy/mounts.ts'
import { readiness, type Words } from '../proxy/readiness.ts'
import { connector as definition } from '../schemas/connector.ts'
import type { World } from '../world/world.ts'
import { read } from './request.ts'
import { withExits } from './routes.ts'

/** Subnet routers, exit nodes and app connectors. */
export const connector: Kind = {
  name: 'Connector',
  resource: connectors,
  claims: () => true,
  plan: (object, world) => {
    const { spec, subnets, apps, hostnames } = read(object)
    const routes = [...subnets, ...apps]
    const offered = spec.exitNode === true ? withExits(routes) : routes
    return {
      proxies: {
        type: 'connector',
        app: 'k8s-operator-connector-resource',
        hostnames,
        tags: spec.tags ?? [],
        mode: 'kernel',
        variables: [{ name: configSecret, value: '$(POD_NAME)' }],
        device: {
          // Without routes, tailscaled would keep those of before.
          AdvertiseRoutes: offered.map(({ text }) => text),
          AppConnector: { Advertise: spec.appConnector !== undefined },
        },
        serveConfig: undefined,
        proxyClass: spec.proxyClass || undefined,
        metrics: 'connector',
        ownOptions: [],
      },
      objects: [],
      events: sameNames(object, hostnames, world),
    }
  },
  report: (object, seen) => {
    const lacks = seen.unapproved?.map(inVain) ?? []
    const [first] = lacks
    const message = `${some(lacks)}. Approve that in the admin console (Machines, the node, Edit route settings), or by autoApprovers of the tailnet’s policy`
    const reason = 'RoutesNotApproved'
    return {
      ...standing(object, seen),
      conditions: [
        readiness(words, hostnamesIfValid(object), seen),
        ...(first === undefined ? [] : [{ type: 'CulvertRoutesApproved', status: 'False', reason, message } as const]),
      ],
      events: first === undefined ? [] : [{ type: 'Warning', reason, message }],
    }
  },
}

const exits: ReadonlySet<string> = new Set(['0.0.0.0/0', '::/0'])

function inVain({ node, routes }: Unapproved): string {
  const networks = routes.filter((route) => !exits.has(route))
  const roles = networks.length === routes.length ? [] : ['to be an exit node']
  return `${node} offers ${[...networks, ...roles].join(', ')}, and the tailnet does not use it`
}

/** What can be seen of it in the tailnet; of what it offers, what is applied last stays while it is refused. */
function standing(object: KubeObject, { devices, refused }: Seen): Pick<Report, 'status'> {
  const known = devices
    .filter(({ fqdn }) => fqdn !== undefined)
    .map(({ fqdn, addresses }) => ({ hostname: fqdn, tailnetIPs: addresses }))
  const found = known.length === 0 ? {} : { devices: known, ...known[0] }
  if (refused !== undefined) return { status: { ...found, ...offeredBefore(object) } }
  const { spec, subnets } = read(object)
  return {
    status: {
      ...found,
      ...(subnets.length > 0 && { subnetRoutes: subnets.map(({ text }) => text).join(',') }),
      isExitNode: spec.exitNode === true,
      isAppConnector: spec.appConnector !== undefined,
    },
  }
}

function offeredBefore({ status }: KubeObject): Record<string, unknown> {
  const { data } = z.safeParse(definition.status, status ?? {})
  const { subnetRoutes, isExitNode, isAppConnector } = data ?? {}
  const before = { subnetRoutes, isExitNode, isAppConnector }
  return Object.fromEntries(Object.entries(before).filter(([, value]) => value !== undefined))
}

const words: Words = {
  type: 'ConnectorReady',
  created: 'ConnectorCreated',
  refused: { invalid: 'ConnectorInvalid', pending: 'ConnectorCreating', failed: 'ConnectorCreationFailed' },
}

/** Of two devices with the same name the tailnet gives one another name. */
function sameNames(object: KubeObject, hostnames: readonly string[], world: World): readonly Event[] {
  const own = new Set(hostnames)
  return [...world.all(connectors)].flatMap((other) => {
    if (other.metadata.name === object.metadata.name) return []
    const same = hostnamesIfValid(other).find((hostname) => own.has(hostname))
    if (same === undefined) return []
    const message = `The hostname ${same} is that of Connector "${other.metadata.name}", too: the tailnet will give one of them another name.`
    return [{ type: 'Warning', reason: 'HostnameTaken', message } as const]
  })
}

function hostnamesIfValid(object: KubeObject): readonly string[] {
  try {
    return read(object).hostnames
  } catch {
    return []
  }
}
