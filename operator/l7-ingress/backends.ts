import type { KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import { services } from '../objects/resources.ts'
import { clusterAddresses, dnsName, hostPort, type ServicePort, specOf } from '../objects/service.ts'
import type { BackendProtocol, BackendProtocols } from '../objects/texts.ts'
import type { World } from '../world/world.ts'
import type { Backend } from './ingress.ts'

/** The URL of a backend without a path, or why there is none. */
export type Origin =
  | { readonly url: string; readonly problem?: undefined }
  | { readonly url?: undefined; readonly problem: string }

type Place = {
  /** That of the Ingress, and so of its backends. */
  readonly namespace: string
  readonly clusterDomain: string
  readonly protocols: BackendProtocols | undefined
}

/** Where the requests for a backend go. */
export function originOf(backend: Backend, world: World, { namespace, clusterDomain, protocols }: Place): Origin {
  if (backend.service === undefined) return { problem: 'its backend is not a Service' }
  const { name, port: asked = {} } = backend.service
  const service = world.get(services, `${namespace}/${name}`)
  if (service === undefined) return { problem: `there is no Service ${quote(name)} in namespace ${quote(namespace)}` }
  const spec = specOf(service)
  const [address] = clusterAddresses(spec)
  if (address === undefined) return { problem: `Service ${quote(name)} has no cluster IP` }
  // The API knows a port by its number only within a protocol, and HTTP is on TCP.
  const ports = (spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP')
  const port = ports.find((one) => (asked.name ? one.name === asked.name : one.port === asked.number))
  if (port === undefined) {
    return { problem: `Service ${quote(name)} has no TCP port ${quote(asked.name || `${asked.number ?? 0}`)}` }
  }
  return { url: urlOf(service, address, port, protocolOf(port, protocols), clusterDomain) }
}

function protocolOf({ name = '', port }: ServicePort, protocols: BackendProtocols | undefined): BackendProtocol {
  const said = protocols?.byPort.get(`${port}`) ?? protocols?.byPort.get(name) ?? protocols?.all
  return said ?? (port === 443 || name === 'https' ? 'HTTPS+INSECURE' : 'HTTP')
}

/** A certificate is verified for the Service's name, since hardly any is for an address. */
function urlOf(
  service: KubeObject,
  address: string,
  { port }: ServicePort,
  protocol: BackendProtocol,
  clusterDomain: string,
): string {
  const host = protocol === 'HTTPS' ? dnsName(service, clusterDomain) : address
  return `${protocol.toLowerCase()}://${hostPort(host, port)}`
}
