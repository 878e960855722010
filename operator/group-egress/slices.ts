import { createHash } from 'node:crypto'
import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { memoOf } from '../../lib/memo.ts'
import type { EgressEntry } from '../../wire/egress-services.ts'
import type { ClusterService, Family } from './cluster-service.ts'
import { type Replica, verdict } from './replicas.ts'
import { endpointSlices } from '../objects/resources.ts'
import { labels as labelNames } from '../objects/names.ts'
import { type Parent, parentValue } from '../objects/parent.ts'
import { specOf } from '../objects/service.ts'
import type { World } from '../world/world.ts'
import { healthPortName } from './request.ts'

const serviceLabel = 'kubernetes.io/service-name'

/** A Service in the group from which it moves. */
export type Before = {
  readonly service: ClusterService
  readonly entry: EgressEntry | undefined
  readonly replicas: readonly Replica[]
}

const nameOf = (service: string, family: Family): string => `${service}-${family.toLowerCase()}`

/**
 * The EndpointSlices of a ClusterIP Service, one for each of its families: the Pods that have proven to forward it. While
 * its ports change, Pods that have only some of them yet are in others, which come first: so no port that stays loses
 * its Pods. `before`: the group from which it moves, whose Pods are in it until one of the new group is.
 */
export function slices(
  { object, families, ports: own }: ClusterService,
  entry: EgressEntry | undefined,
  replicas: readonly Replica[],
  before?: Before,
): readonly KubeObject[] {
  const { name, namespace, labels } = object.metadata
  return families.flatMap((family) => {
    const sliceOf = (suffix: string, ports: ClusterService['ports'], all: readonly Proven[]) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${nameOf(name, family)}${suffix}`,
        ...(namespace !== undefined && { namespace }),
        labels: {
          ...labels,
          [serviceLabel]: name,
          'endpointslice.kubernetes.io/managed-by': 'tailscale.com',
        },
      },
      addressType: family,
      ports: [
        ...ports.map(({ name: called, matchPort, protocol }) => ({ name: called, port: matchPort, protocol })),
        ...(specOf(object).ports ?? []).flatMap(({ name: called, targetPort, protocol }) =>
          called === healthPortName ? [{ name: called, port: Number(targetPort), protocol }] : [],
        ),
      ],
      endpoints: all.map(endpoint),
    })
    const all = entry === undefined ? [] : endpointsIn(entry, family, replicas)
    const isWhole = ({ ports }: Proven): boolean => ports.length === entry?.ports.length
    const partly = Map.groupBy(
      all.filter((one) => !isWhole(one)),
      ({ ports }) => digest(ports),
    )
    const whole = all.filter(isWhole)
    const former =
      before?.entry === undefined || whole.length > 0 ? [] : endpointsIn(before.entry, family, before.replicas)
    return [
      ...(former.length === 0 ? [] : [sliceOf('-before', before?.service.ports ?? [], former)]),
      ...[...partly].map(([suffix, some]) => sliceOf(`-${suffix}`, among(own, some[0]!.ports), some)),
      sliceOf('', own, whole),
    ]
  })
}

const among = (own: ClusterService['ports'], some: EgressEntry['ports']): ClusterService['ports'] =>
  own.filter((one) =>
    some.some(({ matchPort, protocol }) => matchPort === one.matchPort && protocol.toUpperCase() === one.protocol),
  )

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 8)

/** A Pod, and the ports that it has proven to forward. */
type Proven = { readonly address: string; readonly uid: string; readonly ports: EgressEntry['ports'] }

/** Until a Pod leads to a changed target, those that lead to the former one: clients must not be refused meanwhile. */
function endpointsIn(entry: EgressEntry, family: Family, replicas: readonly Replica[]): readonly Proven[] {
  const proven = (wanted: (replica: Replica) => EgressEntry): readonly Proven[] =>
    replicas.flatMap((replica) => {
      const found = verdict(replica, wanted(replica), family)
      const uid = replica.pod?.metadata.uid
      return 'lacks' in found || uid === undefined ? [] : [{ ...found, uid }]
    })
  const former = ({ status }: Replica): EgressEntry => ({
    ...entry,
    tailnetTarget: status?.services.get(entry.name)?.tailnetTarget ?? entry.tailnetTarget,
  })
  const now = proven(() => entry)
  const all = now.length > 0 ? now : proven(former)
  return all.toSorted((one, other) => (one.uid < other.uid ? -1 : 1))
}

type Endpoint = { readonly addresses: readonly string[]; readonly hostname: string; readonly conditions: object }

const endpoint = ({ address, uid }: Proven): Endpoint => ({
  addresses: [address],
  hostname: uid,
  conditions: { ready: true, serving: true, terminating: false },
})

/** The EndpointSlices that were made for a user's Service, whichever the group. */
export const slicesFor = (world: Pick<World, 'by'>, parent: Parent): readonly KubeObject[] =>
  world.by(endpointSlices, 'parentInGroup', parentValue(parent))

const schema = z.object({ endpoints: z.optional(z.nullable(z.array(z.object({ hostname: z.optional(z.string()) })))) })

const uidsIn = memoOf((slice: KubeObject): ReadonlySet<string> => {
  const { endpoints: all } = z.safeParse(schema, slice).data ?? {}
  return new Set((all ?? []).flatMap(({ hostname }) => hostname ?? []))
})

/**
 * The UIDs of the Pods to which each address of a ClusterIP Service leads, as the cluster has its EndpointSlices. Those
 * that have been written for another group, from which it comes, say nothing.
 */
export const endpointsOf = (
  world: Pick<World, 'get'>,
  { object: { metadata }, families, group }: ClusterService,
): readonly ReadonlySet<string>[] =>
  families.map((family) => {
    const slice = world.get(endpointSlices, `${metadata.namespace}/${nameOf(metadata.name, family)}`)
    return slice?.metadata.labels?.[labelNames.proxyGroup] === group ? uidsIn(slice) : new Set()
  })

/** Whether the EndpointSlices of a ClusterIP Service are there. */
export const hasSlices = (world: Pick<World, 'get'>, { object, families }: ClusterService): boolean =>
  families.length > 0 &&
  families.every(
    (family) =>
      world.get(endpointSlices, `${object.metadata.namespace}/${nameOf(object.metadata.name, family)}`) !== undefined,
  )
