import * as z from 'zod/mini'
import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Prefix } from '../../lib/address.ts'
import { some } from '../../lib/some.ts'
import { mustBeDefaultTailnet } from '../objects/tailnet.ts'
import { connector, type ConnectorSpec } from '../schemas/connector.ts'
import { mostReplicas } from '../proxy/readiness.ts'
import { issueTexts } from '../schemas/issues.ts'
import { readRoutes } from './routes.ts'

/** What a Connector asks for, checked. */
export type Asked = {
  readonly spec: ConnectorSpec
  /** Networks of the subnet router. */
  readonly subnets: readonly Prefix[]
  /** Networks of apps that are known beforehand. */
  readonly apps: readonly Prefix[]
  /** The name of each replica in the tailnet. */
  readonly hostnames: readonly string[]
}

const invalid = (message: string, remedy: string): UserError => new UserError('ConnectorInvalid', message, remedy)

/** @throws UserError that names all that is wrong */
export function read(object: KubeObject): Asked {
  const { data: spec, error } = z.safeParse(connector.spec, object['spec'])
  if (error !== undefined) throw invalid(some(issueTexts(error)), 'Correct the spec.')
  mustBeDefaultTailnet(spec.tailnet, 'Connector', 'ConnectorInvalid')
  const { replicas = 1 } = spec
  if (replicas > mostReplicas)
    throw invalid(`spec.replicas: ${replicas} are more than ${mostReplicas}`, 'Make several Connectors.')
  return {
    spec,
    subnets: networks('spec.subnetRouter.advertiseRoutes', spec.subnetRouter?.advertiseRoutes),
    apps: networks('spec.appConnector.routes', spec.appConnector?.routes),
    hostnames: hostnamesOf(object.metadata.name, spec),
  }
}

function networks(path: string, texts: readonly string[] = []): readonly Prefix[] {
  const found = readRoutes(texts)
  if ('problems' in found) throw invalid(`${path}: ${some(found.problems)}`, 'Correct these networks.')
  return found.routes
}

/** A name in the tailnet has no more characters. */
const longest = 63

/**
 * A name for each replica, since the tailnet would give those with the same name numbers in the order in which they
 * come. The first has the name that a single one has, which it keeps when others come.
 */
function hostnamesOf(name: string, { hostname, hostnamePrefix, replicas = 1 }: ConnectorSpec): readonly string[] {
  const ordinals = Array.from({ length: replicas }, (_, ordinal) => ordinal)
  if (hostname !== undefined) return ordinals.map(() => hostname)
  if (hostnamePrefix === undefined) {
    const suffixes = ordinals.map((ordinal) => (ordinal === 0 ? '-connector' : `-connector-${ordinal}`))
    const room = longest - Math.max(0, ...suffixes.map(({ length }) => length))
    const base = name.replaceAll('.', '-').slice(0, room).replace(/-+$/, '')
    return suffixes.map((suffix) => `${base}${suffix}`)
  }
  const hostnames = ordinals.map((ordinal) => `${hostnamePrefix}-${ordinal}`)
  const last = hostnames.at(-1) ?? ''
  if (last.length > longest)
    throw invalid(`spec.hostnamePrefix: the name ${last} has more than ${longest} characters`, 'Shorten the prefix.')
  return hostnames
}
