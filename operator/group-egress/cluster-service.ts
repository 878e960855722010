import * as z from 'zod/mini'
import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { parseJson } from '../../lib/json.ts'
import { memoOf } from '../../lib/memo.ts'
import type { EgressEntry } from '../../wire/egress-services.ts'
import { targetOf } from '../l3-egress/target.ts'
import { readAnnotations } from '../objects/annotations.ts'
import { labels } from '../objects/names.ts'
import { labelsOf, type Parent, parentValue } from '../objects/parent.ts'
import { services } from '../objects/resources.ts'
import { clusterAddresses, dnsName, specOf } from '../objects/service.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import type { Allocated } from './allocate.ts'
import { healthPortName, type RequestedPort } from './request.ts'

/** A target in the tailnet, as files have it: one of the two is empty. */
export type Target = EgressEntry['tailnetTarget']

/** What the proxies need to know of a Service besides its ports: its name in the group’s file, and the target. */
const noted = 'culvert/egress-service'
const noteSchema = z.object({
  key: z.string(),
  ip: z.string(),
  fqdn: z.string(),
  allowFrom: z.optional(z.union([z.literal('*'), z.array(z.string())])),
  former: z.optional(z.object({ group: z.string(), key: z.string(), ports: z.record(z.string(), z.number()) })),
})

const egress = 'egress'
/** Where the agent answers on a Pod, unless a ProxyClass has that changed. */
const healthPort = 9002

export type Family = 'IPv4' | 'IPv6'

/** The place that a Service has in the group from which it moves, whose Pods go on until those of the new one do. */
export type Former = { readonly group: string; readonly key: string; readonly ports: Allocated }

/**
 * The ClusterIP Service through which clients of a user's Service reach the Pods of a group. It holds all that was
 * decided for it, so that the group's files and the EndpointSlices follow from it alone.
 */
export type ClusterService = {
  readonly object: KubeObject
  readonly group: string
  /** The user's Service, with names as labels have them. */
  readonly parent: Parent
  /** Undefined: it was made by Tailscale's operator, and only the user's Service has the target. */
  readonly target: Target | undefined
  /** The namespaces whose Pods may use it; undefined: nothing restricts them. */
  readonly allowFrom: '*' | readonly string[] | undefined
  /** Its name in the group's file. */
  readonly key: string
  /** The port of the Pods for each of its own. */
  readonly ports: readonly (RequestedPort & { readonly matchPort: number })[]
  readonly former: Former | undefined
  /** Its own port for health checks. */
  readonly healthPort: number | undefined
  /** Those of its addresses, the main one first. */
  readonly families: readonly Family[]
}

/** How ports of a Service are called in messages and maps, such as `5432/TCP`. */
export const portKey = ({ port, protocol }: Pick<RequestedPort, 'port' | 'protocol'>): string => `${port}/${protocol}`

/** The name of a Service in a group's file, unless another one has it, such as `b-c` in namespace `a` for `c` in `a-b`. */
export const usualKey = ({ namespace, name }: Pick<Parent, 'namespace' | 'name'>): string => `${namespace}-${name}`

export type ClusterServiceOptions = {
  readonly name: string
  readonly parent: Parent
  readonly group: string
  readonly key: string
  readonly target: Target
  readonly allowFrom: '*' | readonly string[] | undefined
  readonly former: Former | undefined
  readonly ports: readonly RequestedPort[]
  readonly allocated: Allocated
  readonly namespace: string
}

/** @throws UserError `INVALIDSERVICE` if the Service itself has all ports that the operator could use for health checks */
export function clusterService(options: ClusterServiceOptions): KubeObject {
  const { name, parent, group, key, target, allowFrom, former, ports, allocated, namespace } = options
  const place = former && { ...former, ports: Object.fromEntries(former.ports) }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      labels: { ...labelsOf(parent), [labels.proxyGroup]: group, [labels.serviceType]: egress },
      annotations: { [noted]: JSON.stringify({ key, ...target, allowFrom, former: place }) },
    },
    spec: {
      type: 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      ports: [
        ...ports.map((one) => ({
          name: one.name,
          port: one.port,
          protocol: one.protocol,
          targetPort: allocated.get(portKey(one)),
        })),
        { name: healthPortName, port: freeHealthPort(ports), protocol: 'TCP', targetPort: healthPort },
      ],
    },
  }
}

function freeHealthPort(ports: readonly RequestedPort[]): number {
  const used = new Set(ports.map(({ port }) => port))
  for (let port = healthPort; port <= healthPort + 1000; port += 1) if (!used.has(port)) return port
  throw new UserError(
    'INVALIDSERVICE',
    `it lists all ports from ${healthPort} on`,
    'Leave one of them to the operator.',
  )
}

/** Reads what `clusterService` made, or Tailscale's operator; undefined if it is no such Service. */
export const readClusterService = memoOf((object: KubeObject): ClusterService | undefined => {
  const all = object.metadata.labels ?? {}
  const { [labels.proxyGroup]: group, [labels.parentName]: name, [labels.parentNamespace]: namespace } = all
  const isEgress = all[labels.managed] === 'true' && all[labels.serviceType] === egress
  if (!isEgress || group === undefined || name === undefined || namespace === undefined) return undefined
  const parent: Parent = { type: 'svc', namespace, name }
  const { data: note } = z.safeParse(noteSchema, parseJson(object.metadata.annotations?.[noted] ?? ''))
  const spec = specOf(object)
  const read = (spec.ports ?? []).map(({ name: called = '', port, protocol = 'TCP', targetPort }) => ({
    name: called,
    port,
    protocol: protocol === 'UDP' ? ('UDP' as const) : ('TCP' as const),
    matchPort: Number(targetPort),
  }))
  return {
    object,
    group,
    parent,
    key: note?.key ?? usualKey(parent),
    target: note && { ip: note.ip, fqdn: note.fqdn },
    allowFrom: note?.allowFrom,
    former: note?.former && { ...note.former, ports: new Map(Object.entries(note.former.ports)) },
    ports: read.filter((port) => port.name !== healthPortName),
    healthPort: read.find((port) => port.name === healthPortName)?.port,
    families: clusterAddresses(spec).map((address) => (address.includes(':') ? 'IPv6' : 'IPv4')),
  }
})

const known = (objects: readonly KubeObject[]): readonly ClusterService[] =>
  objects.flatMap((object) => readClusterService(object) ?? [])

/** The ClusterIP Services of a group that are not being deleted. */
export const servicesOf = (world: Pick<World, 'by'>, group: string): readonly ClusterService[] =>
  known(world.by(services, 'madeForGroup', group)).filter((one) => one.group === group && !isGoing(one.object))

/** The same with those that move from it to another one: each as it is here. */
export const servedBy = (world: Pick<World, 'by'>, group: string): readonly ClusterService[] => [
  ...servicesOf(world, group),
  ...known(world.by(services, 'madeForGroup', group)).flatMap((one) => {
    const before = one.former?.group === group && !isGoing(one.object) ? asBefore(one) : undefined
    return before === undefined ? [] : [before]
  }),
]

/** A Service as it is in the group from which it moves, with those of its ports that it had there. */
export function asBefore(service: ClusterService): ClusterService | undefined {
  const { former } = service
  if (former === undefined) return undefined
  const ports = service.ports.flatMap((port) => {
    const matchPort = former.ports.get(portKey(port))
    return matchPort === undefined ? [] : [{ ...port, matchPort }]
  })
  return { ...service, group: former.group, key: former.key, ports, former: undefined }
}

/** The groups whose Pods forward a Service: for an index. */
export function groupsOf(object: KubeObject): readonly string[] {
  const service = readClusterService(object)
  return service === undefined ? [] : [service.group, ...(service.former === undefined ? [] : [service.former.group])]
}

/** Those of a user's Service, whichever the group: there is one, unless another operator has left more. */
export const servicesFor = (world: Pick<World, 'by'>, parent: Parent): readonly ClusterService[] =>
  known(world.by(services, 'parentInGroup', parentValue(parent)))

/** Whether an object was made for a user's Service in some group, by this operator or by Tailscale's. */
export function isInGroupFor(parent: Parent, { metadata }: KubeObject): boolean {
  const all = metadata.labels ?? {}
  const own = { ...labelsOf(parent), [labels.serviceType]: egress }
  return all[labels.proxyGroup] !== undefined && Object.entries(own).every(([name, value]) => all[name] === value)
}

export const isGoing = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

/** The entry of the group's file for a ClusterIP Service; undefined if its target is not known. */
export function entryOf(
  service: ClusterService,
  world: Pick<World, 'get'>,
  { clusterDomain }: Pick<OperatorSettings, 'clusterDomain'>,
): EgressEntry | undefined {
  const tailnetTarget = service.target ?? targetOfParent(service, world)
  if (tailnetTarget === undefined) return undefined
  const { object, key, ports, healthPort: port } = service
  const host = dnsName(object, clusterDomain)
  return {
    name: key,
    tailnetTarget,
    ports: ports.map(({ protocol, matchPort, port: targetPort }) => ({
      protocol: protocol === 'UDP' ? 'udp' : 'tcp',
      matchPort,
      targetPort,
    })),
    healthCheckEndpoint: port === undefined ? '' : `http://${host}:${port}/healthz`,
  }
}

function targetOfParent({ parent }: ClusterService, world: Pick<World, 'get'>): Target | undefined {
  const user = world.get(services, `${parent.namespace}/${parent.name}`)
  if (user === undefined) return undefined
  try {
    return targetOf(readAnnotations(user, '')).target
  } catch {
    return undefined
  }
}
