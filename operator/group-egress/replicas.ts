import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { parseAddress } from '../../lib/address.ts'
import { optional } from '../../lib/json.ts'
import { memoOf } from '../../lib/memo.ts'
import type { EgressEntry } from '../../wire/egress-services.ts'
import { parseEgressStatus } from '../../wire/services-status.ts'
import { keys } from '../../wire/state-secret.ts'
import { pods, secrets, statefulSets } from '../objects/resources.ts'
import { textIn } from '../proxy/state.ts'
import { replicasOf } from '../proxy/seen.ts'
import type { World } from '../world/world.ts'
import { type Family, isGoing } from './cluster-service.ts'

/** What a Pod's status says of a Service that it forwards. */
type Listed = Pick<EgressEntry, 'tailnetTarget' | 'ports'>

/** What a Pod says that it forwards: the addresses are those of the Pod that has written it. */
export type Status = {
  readonly IPv4: string
  readonly IPv6: string
  readonly services: ReadonlyMap<string, Listed>
}

export type Replica = {
  /** Of its Pod, which may not exist. */
  readonly name: string
  readonly pod: KubeObject | undefined
  readonly status: Status | undefined
}

/** Only what leads somewhere: another agent may list Services whose target it does not know. */
export const statusIn = memoOf((secret: KubeObject): Status | undefined => {
  const status = parseEgressStatus(textIn(secret, keys.egressServices) ?? '')
  if (status === undefined) return undefined
  const listed = status.services.filter(({ addresses }) => addresses.length > 0)
  return {
    IPv4: status.podIPv4,
    IPv6: status.podIPv6,
    services: new Map(listed.map(({ service }) => [service.name, service])),
  }
})

/** The replicas of a group, and the Pods beyond them that still exist. */
export function replicasIn(
  world: Pick<World, 'get'>,
  namespace: string,
  group: string,
  wanted: number,
): readonly Replica[] {
  const set = world.get(statefulSets, `${namespace}/${group}`)
  const count = Math.max(wanted, replicasOf(set) ?? 0, statusReplicas(set))
  return Array.from({ length: count }, (_, ordinal) => {
    const name = `${group}-${ordinal}`
    const secret = world.get(secrets, `${namespace}/${name}`)
    return { name, pod: world.get(pods, `${namespace}/${name}`), status: secret && statusIn(secret) }
  }).filter(({ pod }, ordinal) => ordinal < wanted || pod !== undefined)
}

const setStatus = z.object({ replicas: optional(z.number()) })
const statusReplicas = (set: KubeObject | undefined): number =>
  z.safeParse(setStatus, set?.['status']).data?.replicas ?? 0

const podStatus = z.object({ podIPs: optional(z.array(z.object({ ip: z.string() }))) })

const addressesIn = memoOf(({ status }: KubeObject): Readonly<Partial<Record<Family, string>>> => {
  const all = z.safeParse(podStatus, status).data?.podIPs ?? []
  const of = (colon: boolean) => all.find(({ ip }) => ip.includes(':') === colon)?.ip
  const [v4, v6] = [of(false), of(true)]
  return { ...(v4 !== undefined && { IPv4: v4 }), ...(v6 !== undefined && { IPv6: v6 }) }
})

export type Verdict = { readonly address: string; readonly ports: EgressEntry['ports'] } | { readonly lacks: string }

const before = 'it still forwards it as it was before'

/**
 * The address at which a replica takes the connections of a Service, and to which of its ports, or why it does not. A
 * Pod that is not being deleted takes them if its own status, and not that of an earlier Pod, has the Service with its
 * target and such ports as the group's file has them.
 */
export function verdict({ pod, status }: Replica, entry: EgressEntry, family: Family): Verdict {
  if (pod === undefined) return { lacks: 'it has no Pod' }
  if (isGoing(pod)) return { lacks: 'its Pod is being deleted' }
  const address = addressesIn(pod)[family]
  if (address === undefined) return { lacks: `its Pod has no ${family} address` }
  if (status === undefined || !isSame(status[family], address)) return { lacks: 'its agent has not reported yet' }
  const listed = status.services.get(entry.name)
  if (listed === undefined) return { lacks: 'it does not forward it: the target may be missing, or not answer' }
  const known = asSet(listed.ports)
  const ports = isTarget(listed, entry) ? entry.ports.filter((port) => known.has(asText(port))) : []
  return ports.length > 0 ? { address, ports } : { lacks: before }
}

const isTarget = (one: Listed, other: Listed): boolean => isDeepStrictEqual(one.tailnetTarget, other.tailnetTarget)

/** Whether a status has a Service just as a group's file has it. */
export function isListed(status: Status | undefined, entry: EgressEntry): boolean {
  const listed = status?.services.get(entry.name)
  return listed !== undefined && isTarget(listed, entry) && isDeepStrictEqual(asSet(listed.ports), asSet(entry.ports))
}

const isSame = (one: string, other: string): boolean => one === other || parseAddress(one)?.text === other

const asText = ({ protocol, matchPort, targetPort }: EgressEntry['ports'][number]): string =>
  `${protocol} ${matchPort} ${targetPort}`
const asSet = (ports: EgressEntry['ports']): ReadonlySet<string> => new Set(ports.map(asText))

/** Why a replica does not take connections to all addresses of a Service; undefined if it does. */
export function lackOf(replica: Replica, entry: EgressEntry, families: readonly Family[]): string | undefined {
  for (const family of families) {
    const found = verdict(replica, entry, family)
    if ('lacks' in found) return found.lacks
  }
  return isListed(replica.status, entry) ? undefined : before
}
