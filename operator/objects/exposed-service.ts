import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import type { Refused, Seen } from '../kind.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { annotations } from './annotations.ts'
import type { Condition } from './conditions.ts'
import { readHostname } from './texts.ts'

/** The reason of the Event that says what is wrong with a Service. */
export const invalidService = 'INVALIDSERVICE'

/**
 * The hostname of a Service's node: the one asked for, else the names of the namespace and the Service.
 * @throws UserError `INVALIDSERVICE` if these are too long together
 */
export function hostnameOf({ metadata: { name, namespace = '' } }: KubeObject, asked: string | undefined): string {
  if (asked !== undefined) return asked
  const made = `${namespace}-${name}`
  if (readHostname(made) !== undefined) return made
  const message = `${quote(made, 100)} is too long for a hostname, which has 63 characters at most`
  throw new UserError(invalidService, message, `Set the annotation ${annotations.hostname.name}.`)
}

const reasons = { invalid: 'ProxyInvalid', pending: 'ProxyPending', failed: 'ProxyFailed' } as const

/** Of a Service that has a proxy of its own: what it does, what it waits for, or why it is not as asked. */
export type State = { readonly ready: string } | { readonly pending: string } | Refused

export function proxyReady(state: State): Condition {
  const type = 'TailscaleProxyReady'
  if ('ready' in state) return { type, status: 'True', reason: 'ProxyCreated', message: state.ready }
  if ('pending' in state) return { type, status: 'False', reason: 'ProxyPending', message: state.pending }
  return { type, status: 'False', reason: reasons[state.as], message: state.message }
}

/** How a Service's only proxy stands. */
export function stateOf({ name, devices, refused }: Seen, { namespace }: Pick<OperatorSettings, 'namespace'>): State {
  if (refused !== undefined) return refused
  const [device] = devices
  if (device?.isCurrent === true && device.isReady && device.fqdn !== undefined) {
    return { ready: `forwards as ${device.fqdn} (${device.addresses.join(', ')})` }
  }
  if (name === undefined) return { pending: 'the proxy is being created' }
  const pod = `Pod ${name}-0 in namespace ${namespace}`
  return device?.id === undefined
    ? { pending: `${pod} has not joined the tailnet yet` }
    : { pending: `${pod} does not forward to the target yet; its log says what it lacks` }
}

type LoadBalancer = { readonly ingress?: readonly { readonly ipMode?: string }[] }

/**
 * What the API adds to an address in a LoadBalancer's status, if it knows that. What is written has it as soon as the
 * object does, since it would otherwise differ after each start.
 */
export function ipModeOf({ status }: KubeObject): { readonly ipMode?: string } {
  const { loadBalancer } = (status ?? {}) as { readonly loadBalancer?: LoadBalancer }
  const ipMode = loadBalancer?.ingress?.find((one) => one.ipMode !== undefined)?.ipMode
  return ipMode === undefined ? {} : { ipMode }
}

/** The part of a LoadBalancer's status that says where it is reachable. */
export const loadBalancerOf = (service: KubeObject, fqdn: string, addresses: readonly string[]) => ({
  ingress: [{ hostname: fqdn }, ...addresses.map((ip) => ({ ip, ...ipModeOf(service) }))],
})
