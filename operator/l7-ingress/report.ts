import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Refused, Report, Seen } from '../kind.ts'
import { secrets } from '../objects/resources.ts'
import { failedRequest } from '../proxy/certificate.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { statusOf, type StatusPort, webPorts } from './ingress.ts'
import { httpsNotEnabled, noHttps } from '../proxy/https.ts'
import { sitesOf } from './sites.ts'

/** Under which names and ports an Ingress is reachable now. */
export function report(
  ingress: KubeObject,
  { devices, name, refused }: Seen,
  world: World,
  settings: OperatorSettings,
): Report {
  const endpoints = devices.flatMap(({ isCurrent, httpsEndpoint }) => (isCurrent ? (httpsEndpoint ?? []) : []))
  const ports = refused === undefined ? portsOf(ingress, world, settings) : portsBefore(ingress)
  const reachable = ports.length === 0 ? [] : endpoints.filter((endpoint) => endpoint !== noHttps)
  return {
    status: {
      loadBalancer: reachable.length === 0 ? {} : { ingress: reachable.map((hostname) => ({ hostname, ports })) },
    },
    conditions: [],
    events: [
      ...(endpoints.includes(noHttps) ? [httpsNotEnabled('no site is served')] : []),
      ...reachable.flatMap((fqdn) => withoutCertificate(fqdn, `${name}-0`, world, settings)),
      ...notStarted(refused),
    ],
  }
}

/** As of Ingresses of a group. */
function withoutCertificate(
  fqdn: string,
  issuer: string,
  world: World,
  { namespace }: Pick<OperatorSettings, 'namespace'>,
): readonly Event[] {
  const failed = failedRequest(world.get(secrets, `${namespace}/${issuer}`), fqdn, issuer)
  if (failed === undefined) return []
  return [{ type: 'Warning', reason: 'IngressNotServed', message: `waits for ${failed}` }]
}

/** Other objects have it in a condition, and all other refusals are Events anyway. */
const notStarted = (refused: Refused | undefined): Event[] =>
  refused?.reason === 'ProxyPodNotStarted'
    ? [{ type: 'Warning', reason: refused.reason, message: refused.message }]
    : []

function portsOf(ingress: KubeObject, world: World, settings: OperatorSettings): readonly StatusPort[] {
  const { handlers, ports } = sitesOf(ingress, world, settings)
  return handlers.size === 0 ? [] : ports.map(tcp)
}

/** What was served before a refusal goes on. The status does not have it while the Pod restarts. */
const portsBefore = (ingress: KubeObject): readonly StatusPort[] =>
  statusOf(ingress)[0]?.ports ?? webPorts(ingress).map(tcp)

const tcp = (port: number): StatusPort => ({ port, protocol: 'TCP' })
