import type { KubeObject } from '../../kube/controller/object.ts'

/** The name of the Tailscale Service with this name in the tailnet. */
export const serviceNameOf = (hostname: string): string => `svc:${hostname.toLowerCase()}`

/** Its name in the tailnet, without the domain. */
export const hostOf = (service: string): string => service.replace(/^svc:/, '')

/** Carried by an Ingress that uses a group of proxies. */
export const ingressFinalizer = 'tailscale.com/ingress-pg-finalizer'

/** Carried by a Service that does; Tailscale's operator has written the group's name and a dot before it since 1.104. */
export const serviceFinalizer = 'tailscale.com/service-pg-finalizer'

/** Carried by a ProxyGroup that is itself such a use. */
export const apiServerFinalizer = 'tailscale.com/kube-apiserver-finalizer'

/** Whether a finalizer is there for the use of a group's ingress. */
export const isOurFinalizer = (finalizer: string): boolean =>
  [ingressFinalizer, serviceFinalizer, apiServerFinalizer].includes(finalizer) ||
  finalizer.endsWith(`.${serviceFinalizer}`)

/** The finalizers of an object that are there for that. */
export const formsOf = ({ metadata: { finalizers = [] } }: KubeObject): readonly string[] =>
  finalizers.filter(isOurFinalizer)

/** The finalizer that an object has, or is to have: the form that all versions of Tailscale's operator know. */
export const finalizerFor = (object: KubeObject): string =>
  formsOf(object)[0] ?? usualForms.get(object.kind) ?? serviceFinalizer

const usualForms = new Map([
  ['Ingress', ingressFinalizer],
  ['ProxyGroup', apiServerFinalizer],
])

/** How a node becomes a host of a Tailscale Service. */
export const approval = 'by autoApprovers.services of the tailnet’s policy, or in the admin console'
