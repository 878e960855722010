import * as z from 'zod/mini'
import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { keyOf } from '../../kube/controller/object.ts'
import { parseAddress } from '../../lib/address.ts'
import { optional } from '../../lib/json.ts'
import type { ServeService } from '../../wire/serve-config.ts'
import { invalid, nodeNameOf, specOfIngress } from '../l7-ingress/ingress.ts'
import { type Sites, sitesOf } from '../l7-ingress/sites.ts'
import { type WebPort, webOf } from '../l7-ingress/web.ts'
import { textOf } from '../objects/annotations.ts'
import { endpointSlices } from '../objects/resources.ts'
import { clusterAddresses, specOf } from '../objects/service.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'

/** The ports on which an Ingress is served by a group. Without a certificate, 443 is not. */
export function webPortsOf(ingress: KubeObject): readonly WebPort[] {
  const https = { port: 443, does: 'https' } as const
  if (textOf(ingress, 'httpEndpoint') === 'enabled') return [https, { port: 80, does: 'http' }]
  return textOf(ingress, 'httpRedirect') === 'true' ? [https, { port: 80, does: 'redirect' }] : [https]
}

/** As a Tailscale Service has its ports. What is not served by tailscaled itself is not compared with its hosts. */
export function portsWished(object: KubeObject): readonly string[] {
  if (object.kind === 'ProxyGroup') return ['tcp:443']
  return object.kind === 'Ingress' ? webPortsOf(object).map(({ port }) => `tcp:${port}`) : ['do-not-validate']
}

/** Bytes of an Ingress's paths with their backends: all that uses a group shares one ConfigMap of 1 MiB. */
const mostBytes = 64 * 1024

/**
 * What an Ingress of a group serves. `fqdn`: one of its full names, for the domain.
 * @throws UserError for annotations that are malformed, and for more than a group has room for
 */
export function groupSitesOf(
  ingress: KubeObject,
  fqdn: string | undefined,
  world: World,
  settings: Pick<OperatorSettings, 'clusterDomain'>,
): Sites {
  const sites = sitesOf(ingress, world, settings, hostsOf(ingress, fqdn))
  const bytes = Buffer.byteLength(JSON.stringify([...sites.handlers]))
  if (bytes <= mostBytes) return sites
  throw new UserError(
    invalid,
    `its paths and backends take ${Math.ceil(bytes / 1024)} KiB, and a ProxyGroup has ${mostBytes / 1024} KiB for each Ingress`,
    'Divide it into several Ingresses with names of their own, or give it a proxy of its own.',
  )
}

/**
 * What the replicas serve for an Ingress under its full name; undefined if no path has a backend.
 * @throws UserError as `groupSitesOf`
 */
export function siteOf(
  ingress: KubeObject,
  fqdn: string,
  world: World,
  settings: Pick<OperatorSettings, 'clusterDomain'>,
): ServeService | undefined {
  const { handlers } = groupSitesOf(ingress, fqdn, world, settings)
  return handlers.size === 0 ? undefined : webOf(fqdn, webPortsOf(ingress), handlers)
}

/**
 * What rules may have as their host, whichever of its names an Ingress is served under. `fqdn`: one of them, for the
 * domain.
 */
const hostsOf = (ingress: KubeObject, fqdn: string | undefined): readonly string[] => [
  ...(specOfIngress(ingress).tls?.[0]?.hosts?.slice(0, 1) ?? []),
  ...(fqdn === undefined ? [] : [`${nodeNameOf(ingress).toLowerCase()}${fqdn.slice(fqdn.indexOf('.'))}`]),
]

type Family = { readonly TailscaleServiceIP: string; readonly ClusterIP: string }
/** Where the packets for a Tailscale Service go, as agents read it. */
export type Mapping = { readonly IPv4Mapping?: Family; readonly IPv6Mapping?: Family }

/** Undefined if the two have no family in common, so that nothing could be forwarded. */
export function mappingOf(service: KubeObject, addresses: readonly string[]): Mapping | undefined {
  const own = clusterAddresses(specOf(service))
  const familyOf = (text: string) => parseAddress(text)?.family
  const found = ([4, 6] as const).flatMap((family) => {
    const ClusterIP = own.find((one) => familyOf(one) === family)
    const TailscaleServiceIP = addresses.find((one) => familyOf(one) === family) ?? ''
    return ClusterIP === undefined ? [] : [[`IPv${family}Mapping`, { TailscaleServiceIP, ClusterIP }] as const]
  })
  const isOf = found.some(([, { TailscaleServiceIP }]) => TailscaleServiceIP !== '')
  return isOf ? Object.fromEntries(found) : undefined
}

const slice = z.object({
  endpoints: optional(z.array(z.object({ conditions: optional(z.object({ ready: optional(z.boolean()) })) }))),
})

/** Whether some Pod of a Service is ready to be sent packets. */
export const hasEndpoint = (service: KubeObject, world: World): boolean =>
  world.by(endpointSlices, 'service', keyOf(service.metadata)).some(isReady)

/** Left out, `ready` means yes. */
export const isReady = (endpointSlice: KubeObject): boolean =>
  z.safeParse(slice, endpointSlice).data?.endpoints?.some(({ conditions }) => conditions?.ready !== false) === true
