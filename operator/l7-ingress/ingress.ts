import { UserError } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import { textOf } from '../objects/annotations.ts'
import { readHostname } from '../objects/texts.ts'

/** The reason of everything that is wrong with an Ingress as a whole. */
export const invalid = 'InvalidIngressConfiguration'

export type Backend = {
  readonly service?: { readonly name: string; readonly port?: { readonly name?: string; readonly number?: number } }
  readonly resource?: { readonly kind?: string; readonly name?: string }
}

export type Path = {
  readonly path?: string
  /** `Prefix`, `Exact` or `ImplementationSpecific`, which is a prefix here. */
  readonly pathType?: string
  readonly backend: Backend
}

export type Rule = { readonly host?: string; readonly http?: { readonly paths?: readonly Path[] } }

type IngressSpec = {
  readonly ingressClassName?: string
  readonly defaultBackend?: Backend
  readonly rules?: readonly Rule[]
  readonly tls?: readonly { readonly hosts?: readonly string[] }[]
}

export const specOfIngress = (ingress: KubeObject): IngressSpec => ingress['spec'] ?? {}

export type StatusPort = { readonly port: number; readonly protocol: string }

/** Where the Ingress was reachable when it was seen last. */
export function statusOf({
  status,
}: KubeObject): readonly { readonly hostname?: string; readonly ports?: readonly StatusPort[] }[] {
  const { loadBalancer } = (status ?? {}) as { loadBalancer?: { ingress?: ReturnType<typeof statusOf> } }
  return loadBalancer?.ingress ?? []
}

/** The tailnet name that the node had when it was seen last. */
export const nameInStatus = (ingress: KubeObject): string | undefined => statusOf(ingress)[0]?.hostname?.split('.')[0]

/** Whether an Ingress asks for a proxy of its own. */
export const isOurs = (ingress: KubeObject, ingressClass: string): boolean =>
  specOfIngress(ingress).ingressClassName === ingressClass && textOf(ingress, 'proxyGroup') === undefined

/** The name that rules may give as their host; the tailnet name is its first label. */
export const tlsHost = (ingress: KubeObject): string | undefined => specOfIngress(ingress).tls?.[0]?.hosts?.[0]

/** The tailnet name that an Ingress asks for; it may be invalid. */
export function nodeNameOf(ingress: KubeObject): string {
  const { namespace, name } = ingress.metadata
  return tlsHost(ingress)?.split('.')[0] || `${namespace}-${name}-ingress`
}

/** @throws UserError if the Ingress asks for a name that no node can have */
export function hostnameOf(ingress: KubeObject): string {
  const asked = nodeNameOf(ingress)
  const hostname = readHostname(asked)
  if (hostname !== undefined) return hostname
  throw new UserError(
    invalid,
    `Ingress "${keyOf(ingress.metadata)}" cannot have the name ${quote(asked, 100)} in the tailnet: a name has letters, digits and hyphens between them, 63 at most`,
    'Set another one as the first host in spec.tls.',
  )
}

/** The TCP ports of the node that are for HTTP, whether a site is served or not. */
export const webPorts = (ingress: KubeObject): readonly number[] =>
  textOf(ingress, 'httpRedirect') === 'true' ? [443, 80] : [443]
