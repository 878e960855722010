import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import { textOf } from '../objects/annotations.ts'
import { clusterAddresses, dnsName, hostPort, specOf } from '../objects/service.ts'
import { itemsOf, type ListedPort, listedPorts, problemsOf } from '../objects/service-ports.ts'
import type { Variable } from '../proxy/request.ts'

/** TCP ports of the node, and where each leads. */
export type Forwards = ReadonlyMap<number, Forward>
type Forward = { readonly to: string; readonly proxyProtocol: 1 | 2 | undefined }

/** What of a Service the node has. */
export type Share = {
  /** As in `tcp/5432`. */
  readonly forwarded: readonly string[]
  /** Why other ports are not. */
  readonly problems: readonly string[]
}

export type Joined = {
  readonly tcp: Forwards
  /** The agent's variables for the UDP ports of the one Service that has some; empty if none has. */
  readonly udp: readonly Variable[]
  /** By `namespace/name`. */
  readonly shares: ReadonlyMap<string, Share>
}

type Options = {
  /** TCP ports that the Ingress itself serves. */
  readonly web: readonly number[]
  /** Whether the agent can forward UDP by port. */
  readonly hasUdp: boolean
  readonly clusterDomain: string
}

/**
 * How one node forwards the ports of several Services, the oldest first. Each TCP port leads to its own Service by the
 * serve config, without a restart of the proxy. UDP is forwarded by the agent to one target only, so that one Service
 * can have it.
 */
export function joinServices(services: readonly KubeObject[], { web, hasUdp, clusterDomain }: Options): Joined {
  const owners = new Map(web.map((port) => [`tcp/${port}`, 'the Ingress']))
  const tcp = new Map<number, Forward>()
  let udp: Joined['udp'] = []
  let udpOwner = ''
  const shares = services.toSorted(byAge).map((service): [string, Share] => {
    const key = keyOf(service.metadata)
    const owner = `Service ${quote(key, 200)}`
    const target = targetOf(service, clusterDomain)
    const problemOf = ({ name, protocol, problem }: ListedPort): string | undefined => {
      if (problem !== undefined) return problem
      if (protocol === 'TCP' && target.isUnsure) return 'waits for a valid annotation culvert/proxy-protocol'
      if (protocol === 'UDP' && !hasUdp) return 'Tailscale’s agent, which this proxy has, forwards no UDP by port'
      if (protocol === 'UDP' && udpOwner !== '') return `the node forwards UDP of one Service, which is ${udpOwner}`
      const taken = owners.get(name)
      return taken && `taken by ${taken}`
    }
    const all = listedPorts(specOf(service)).map((port): ListedPort => ({ ...port, problem: problemOf(port) }))
    const good = all.filter(({ problem }) => problem === undefined)
    for (const { name, protocol, port, to } of good) {
      owners.set(name, owner)
      if (protocol === 'TCP') tcp.set(port, { to: hostPort(target.host, to), proxyProtocol: target.proxyProtocol })
    }
    const datagrams = good.filter(({ protocol }) => protocol === 'UDP')
    if (datagrams.length > 0) {
      udp = [target.variable, { name: 'CULVERT_DEST_PORTS', value: itemsOf(datagrams) }]
      udpOwner = owner
    }
    const problems = all.length === 0 ? ['the Service lists no ports'] : problemsOf(all)
    return [key, { forwarded: good.map(({ name }) => name), problems }]
  })
  return { tcp, udp, shares: new Map(shares) }
}

/** The older first, so that a new one takes nothing from others. */
export const byAge = (one: KubeObject, other: KubeObject): number => (ageOf(one) < ageOf(other) ? -1 : 1)
const ageOf = ({ metadata }: KubeObject): string => `${metadata.creationTimestamp} ${metadata.name}`

/** Where a Service's ports lead. Without a cluster IP, its name has the addresses of Pods or of another host. */
function targetOf(service: KubeObject, clusterDomain: string) {
  const spec = specOf(service)
  const addresses = clusterAddresses(spec)
  const name = spec.type === 'ExternalName' ? (spec.externalName ?? '') : dnsName(service, clusterDomain)
  const said = textOf(service, 'proxyProtocol')
  const proxyProtocol = said === '1' ? 1 : said === '2' ? 2 : undefined
  return {
    host: addresses[0] ?? name,
    variable:
      addresses.length === 0
        ? { name: 'TS_EXPERIMENTAL_DEST_DNS_NAME', value: name }
        : { name: 'TS_DEST_IP', value: addresses.join(',') },
    proxyProtocol,
    /** Without the header, a backend that expects it would take the beginning of a connection for it. */
    isUnsure: said !== undefined && proxyProtocol === undefined,
  } as const
}
