import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject, optional, parseJson } from '../../lib/json.ts'
import { memoOf } from '../../lib/memo.ts'
import { keys, parseHosted } from '../../wire/state-secret.ts'
import { parseIngressStatus } from '../../wire/services-status.ts'
import { renderIngressService } from '../../wire/ingress-services.ts'
import { pods, secrets } from '../objects/resources.ts'
import { fqdnIn, textIn } from '../proxy/state.ts'
import type { GroupView } from '../group/use.ts'
import { advertisedServices } from '../world/state.ts'
import type { World } from '../world/world.ts'

/** What is known of a replica of a group, by its Secrets and its Pod. */
export type Replica = {
  /** Of its Pod and its state Secret. */
  readonly name: string
  readonly pod: KubeObject | undefined
  /** The state is that of the Pod that runs now. */
  readonly isCurrent: boolean
  /** The node's full name; undefined until it has joined. */
  readonly fqdn: string | undefined
  /** The Tailscale Services that tailscaled advertises. */
  readonly advertised: ReadonlySet<string>
  /** Those that the tailnet lets it host; undefined if its agent does not tell. */
  readonly accepted: ReadonlySet<string> | undefined
  /** Those that its config says. */
  readonly configured: ReadonlySet<string>
  /** The mapping of each Tailscale Service whose packets it forwards, as it was configured. */
  readonly forwarded: ReadonlyMap<string, object>
}

/** The names of Pods and state Secrets. */
export const replicaName = (group: string, ordinal: number): string => `${group}-${ordinal}`

export function replicaOf({ group, world, settings }: GroupView, ordinal: number): Replica {
  const name = replicaName(group.name, ordinal)
  const at = `${settings.namespace}/${name}`
  const state = world.get(secrets, at)
  const config = world.get(secrets, `${at}-config`)
  const pod = world.get(pods, at)
  const uid = textIn(state, keys.podUid)
  return {
    name,
    pod,
    isCurrent: uid !== undefined && uid === pod?.metadata.uid && pod.metadata.deletionTimestamp === undefined,
    fqdn: fqdnIn(state),
    advertised: state === undefined ? none : advertisedIn(state),
    accepted: state === undefined ? undefined : acceptedIn(state),
    configured: config === undefined ? none : configuredIn(config),
    forwarded: state === undefined ? new Map() : forwardedBy(state, pod),
  }
}

export const replicasOf = (view: GroupView): readonly Replica[] =>
  Array.from({ length: view.group.replicas }, (_, ordinal) => replicaOf(view, ordinal))

/** The domain of the tailnet, by the names of a group's nodes; undefined until one is known. */
export function domainOf(view: GroupView): string | undefined {
  const name = replicasOf(view).find(({ fqdn }) => fqdn?.includes('.') === true)?.fqdn
  return name?.slice(name.indexOf('.') + 1)
}

const none: ReadonlySet<string> = new Set()

/** What a node advertises, by its state. */
export const advertisedIn = memoOf(
  (state: KubeObject): ReadonlySet<string> => new Set(advertisedServices(state['data'])),
)

/** What the tailnet lets a node host, by its agent; Tailscale's agent does not tell. */
export const acceptedIn = memoOf((state: KubeObject): ReadonlySet<string> | undefined => {
  const accepted = parseHosted(textIn(state, keys.hosted) ?? '')
  return accepted && new Set(accepted)
})

const deviceConfig = z.object({ AdvertiseServices: optional(z.array(z.string())) })

/** What the config of a replica lets it advertise. */
export const configuredIn = memoOf((config: KubeObject): ReadonlySet<string> => {
  const data = config['data']
  const all = isJsonObject(data) ? Object.keys(data) : []
  const ours = all.filter((name) => /^cap-\d+\.hujson$/.test(name))
  // An API server proxy of Tailscale's operator has one document for everything.
  const files = ours.length > 0 ? ours : all.filter((name) => name === 'config.hujson')
  const names = files.flatMap(
    (file) => z.safeParse(deviceConfig, parseJson(textIn(config, file) ?? '')).data?.AdvertiseServices ?? [],
  )
  return new Set(names)
})

/** What some Pod of a replica says that it forwards. */
export const forwardedIn = memoOf((state: KubeObject) => {
  const status = parseIngressStatus(textIn(state, keys.ingressServices) ?? '')
  const mappings = new Map(status?.services.map((service) => [service.name, renderIngressService(service)]))
  return { v4: status?.podIPv4 ?? '', v6: status?.podIPv6 ?? '', mappings }
})

const podStatus = z.object({ podIPs: optional(z.array(z.object({ ip: z.string() }))) })

export const addressesOf = (pod: KubeObject | undefined): readonly string[] =>
  z.safeParse(podStatus, pod?.['status']).data?.podIPs?.map(({ ip }) => ip) ?? []

/** It counts only for the Pod that has said it. */
function forwardedBy(state: KubeObject, pod: KubeObject | undefined): ReadonlyMap<string, object> {
  const all = addressesOf(pod)
  const { v4, v6, mappings } = forwardedIn(state)
  const isOf = (said: string, isOfFamily: (ip: string) => boolean): boolean => (all.find(isOfFamily) ?? '') === said
  const isV6 = (ip: string): boolean => ip.includes(':')
  return all.length > 0 && isOf(v4, (ip) => !isV6(ip)) && isOf(v6, isV6) ? mappings : new Map()
}

/**
 * Whether the config of some replica of a group lets it advertise a Tailscale Service, or, with `states`, some node
 * still does; however many replicas there are.
 */
export function isHostedBy(world: World, namespace: string, group: string, service: string, states = true): boolean {
  for (let ordinal = 0; ; ordinal += 1) {
    const at = `${namespace}/${replicaName(group, ordinal)}`
    const [state, config] = [world.get(secrets, at), world.get(secrets, `${at}-config`)]
    if (config !== undefined && configuredIn(config).has(service)) return true
    if (states && state !== undefined && advertisedIn(state).has(service)) return true
    if (state === undefined && config === undefined) return false
  }
}
