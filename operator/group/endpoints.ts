import * as z from 'zod/mini'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { parseAddress } from '../../lib/address.ts'
import { optional } from '../../lib/json.ts'
import { labelsOf } from '../objects/parent.ts'
import { nodes, services } from '../objects/resources.ts'
import type { ProxyClass } from '../proxy/class.ts'
import type { ProxyClassSpec } from '../schemas/proxy-class.ts'
import type { World } from '../world/world.ts'
import { type Group, parentOfGroup } from './group.ts'

/** How the tailnet reaches the replicas of a group at fixed addresses. */
export type StaticEndpoints = {
  /** A Service for each replica. */
  readonly services: readonly KubeObject[]
  /** Of each replica, `address:port`. */
  readonly addresses: readonly (readonly string[])[]
  /** On which tailscaled listens. */
  readonly port: number
  /** Why some replica has none. */
  readonly problem: string | undefined
  /** That comes by itself. */
  readonly isComing: boolean
}

export type EndpointsOptions = {
  readonly group: Group
  readonly class: Pick<ProxyClass, 'staticEndpoints' | 'name'>
  readonly namespace: string
  /** The addresses that a replica's config has now. */
  readonly before: (ordinal: number) => readonly string[]
}

type Wanted = NonNullable<ProxyClassSpec['staticEndpoints']>

/** tailscaled's default; nothing else in a Pod uses this port. */
const wireGuardPort = 41641
/** A node that tries many addresses takes long to connect. */
const most = 2

/** The static endpoints that a group's ProxyClass asks for; undefined if it asks for none. */
export function staticEndpoints(world: World, options: EndpointsOptions): StaticEndpoints | undefined {
  const { group, class: of, namespace, before } = options
  const wanted = of.staticEndpoints
  if (wanted === undefined) return undefined
  const own = Array.from({ length: group.replicas }, (_, ordinal) => serviceName(group, ordinal, wanted))
  const present = own.map((name) => world.get(services, keyOf({ namespace, name })))
  const port = present.map(portOf).find((one) => one !== undefined) ?? wireGuardPort
  const found =
    wanted.loadBalancer === undefined
      ? byNodePort(world, wanted, present, of.name)
      : byLoadBalancer(wanted, present, own)
  const addresses = found.candidates.map((candidates, ordinal) => kept(before(ordinal), candidates))
  return {
    services: found.specs.flatMap((spec, ordinal) =>
      spec === undefined ? [] : [serviceOf(group, namespace, ordinal, own[ordinal]!, port, spec)],
    ),
    addresses,
    port,
    problem: found.problem,
    isComing: wanted.loadBalancer !== undefined,
  }
}

type Found = {
  /** Undefined for a replica that gets none. */
  readonly specs: readonly (ServiceFields | undefined)[]
  /** Addresses with ports, of each replica. */
  readonly candidates: readonly (readonly string[])[]
  readonly problem: string | undefined
}
type ServiceFields = {
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec: Readonly<Record<string, unknown>>
  readonly nodePort?: number
}

/** A port of all nodes for each replica, and the external addresses of some nodes. */
function byNodePort(
  world: World,
  { nodePort: asked }: Wanted,
  present: readonly (KubeObject | undefined)[],
  className: string,
): Found {
  const ranges = asked?.ports ?? []
  const isAllowed = (port: number): boolean =>
    ranges.some((range) => port >= range.port && port <= (range.endPort ?? range.port))
  const taken = new Set([...world.all(services)].filter((one) => !present.includes(one)).flatMap(nodePortsOf))
  const ports: (number | undefined)[] = present.map((service) => {
    const [before] = service === undefined ? [] : nodePortsOf(service)
    if (before === undefined || !isAllowed(before) || taken.has(before)) return undefined
    taken.add(before)
    return before
  })
  for (const [ordinal, port] of ports.entries()) {
    if (port !== undefined) continue
    const free = firstFree(ranges, taken)
    ports[ordinal] = free
    if (free !== undefined) taken.add(free)
  }
  const addresses = externalAddresses(world, asked?.selector ?? {})
  return {
    specs: ports.map((nodePort) => (nodePort === undefined ? undefined : { spec: { type: 'NodePort' }, nodePort })),
    candidates: ports.map((port) => (port === undefined ? [] : addresses.map((address) => join(address, port)))),
    problem:
      (ports.includes(undefined)
        ? `all ports of nodes that ProxyClass "${className}" allows are taken: give it more in spec.staticEndpoints.nodePort.ports`
        : undefined) ??
      (addresses.length === 0
        ? `no node that spec.staticEndpoints.nodePort.selector of ProxyClass "${className}" selects has an address of the type ExternalIP`
        : undefined),
  }
}

const balanced = z.object({
  loadBalancer: z.object({ ingress: optional(z.array(z.object({ ip: optional(z.string()) }))) }),
})

/** A load balancer for each replica. */
function byLoadBalancer(
  { loadBalancer }: Wanted,
  present: readonly (KubeObject | undefined)[],
  own: readonly string[],
): Found {
  const { annotations, loadBalancerClass } = loadBalancer ?? {}
  const candidates = present.map((service) => {
    const { data } = z.safeParse(balanced, service?.['status'])
    return (data?.loadBalancer.ingress ?? []).flatMap(({ ip }) => {
      const address = parseAddress(ip ?? '')
      return address === undefined ? [] : [join(address.text, portOf(service) ?? wireGuardPort)]
    })
  })
  const without = own.filter((_, ordinal) => candidates[ordinal]!.length === 0)
  const spec = { type: 'LoadBalancer' }
  return {
    specs: own.map(() => ({
      spec: { ...spec, ...(loadBalancerClass !== undefined && { loadBalancerClass }) },
      ...(annotations !== undefined && { annotations }),
    })),
    candidates,
    problem: without.length === 0 ? undefined : `the load balancer of Service ${without[0]} has no IP address yet`,
  }
}

const serviceName = ({ name }: Group, ordinal: number, { loadBalancer }: Wanted): string =>
  `${name}-${ordinal}-${loadBalancer === undefined ? 'nodeport' : 'loadbalancer'}`

function serviceOf(
  group: Group,
  namespace: string,
  ordinal: number,
  name: string,
  port: number,
  { annotations, spec, nodePort }: ServiceFields,
): KubeObject {
  const labels = labelsOf(parentOfGroup(group.name))
  const own = { name: 'static-endpoint-port', protocol: 'UDP', port, targetPort: port }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels, ...(annotations !== undefined && { annotations }) },
    spec: {
      ...spec,
      ipFamilyPolicy: 'PreferDualStack',
      selector: { 'statefulset.kubernetes.io/pod-name': `${group.name}-${ordinal}` },
      ports: [{ ...own, ...(nodePort !== undefined && { nodePort }) }],
    },
  }
}

/** Those that are used already stay, in their order, so that peers need not look for others. */
const kept = (before: readonly string[], candidates: readonly string[]): readonly string[] =>
  [...new Set([...before.filter((one) => candidates.includes(one)), ...candidates])].slice(0, most)

type Range = { readonly port: number; readonly endPort?: number | undefined }
function firstFree(ranges: readonly Range[], taken: ReadonlySet<number>): number | undefined {
  for (const { port, endPort = port } of ranges)
    for (let one = port; one <= endPort; one += 1) if (!taken.has(one)) return one
  return undefined
}

const portsSchema = z.object({
  ports: z.array(z.object({ port: z.number(), nodePort: z.optional(z.number()) })),
})
const nodePortsOf = ({ spec }: KubeObject): readonly number[] =>
  (z.safeParse(portsSchema, spec).data?.ports ?? []).flatMap(({ nodePort }) => nodePort ?? [])
const portOf = (service: KubeObject | undefined): number | undefined =>
  z.safeParse(portsSchema, service?.['spec']).data?.ports[0]?.port

const nodeStatus = z.object({ addresses: z.array(z.object({ type: z.string(), address: z.string() })) })

/** Of the nodes with these labels, in the order of their names. */
function externalAddresses(world: World, selector: Readonly<Record<string, string>>): readonly string[] {
  return [...world.all(nodes)]
    .filter(({ metadata }) => Object.entries(selector).every(([name, value]) => metadata.labels?.[name] === value))
    .toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1))
    .flatMap(({ status }) => z.safeParse(nodeStatus, status).data?.addresses ?? [])
    .flatMap(({ type, address }) => (type === 'ExternalIP' ? (parseAddress(address)?.text ?? []) : []))
}

const join = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
