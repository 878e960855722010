import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject, parseJson } from '../../lib/json.ts'
import { labels, serviceRecordName } from '../objects/names.ts'
import { labelsOf, type Parent, parentInGroup, parentValue } from '../objects/parent.ts'
import { configMaps } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { hostOf } from './names.ts'

/**
 * What the operator knows of a Tailscale Service that is its own for an object: kept in the cluster, so that all else
 * follows from what the cluster holds, also while Tailscale's API is away or the object says something else by now.
 */
export type ServiceRecord = {
  /** Of the Tailscale Service. */
  readonly service: string
  readonly parent: Parent
  /** The group whose replicas host it; if it is among those that are leaving, its object has another name by now. */
  readonly group: string
  /** Groups whose replicas go on hosting it until those of `group` do. */
  readonly former: readonly string[]
  /** Groups whose replicas do not advertise it any more, and go on serving clients that do not know that yet. */
  readonly leaving: readonly string[]
  readonly addresses: readonly string[]
  /** Its full name in the tailnet; undefined as long as no replica has told the domain. */
  readonly fqdn: string | undefined
  /** Why it is not this operator's any more, so that no replica is to host it. */
  readonly refused: string | undefined
}

/** The groups that have to do with a Tailscale Service. */
export type Hosts = Pick<ServiceRecord, 'group' | 'former' | 'leaving'>

/** The operator is the only one that writes these. */
const groupAnnotations = { former: 'culvert/former-groups', leaving: 'culvert/leaving-groups' } as const

const recordName = (service: string): string => serviceRecordName(hostOf(service))

/** Where the record of a Tailscale Service is. As there is one for a name, two objects cannot have the same one. */
export const recordKey = (service: string, namespace: string): string => `${namespace}/${recordName(service)}`

const schema = z.object({
  service: z.string(),
  addresses: z.array(z.string()),
  fqdn: z.optional(z.string()),
  refused: z.optional(z.string()),
})

/** Undefined if it is no such record. */
export function readRecord(configMap: KubeObject | undefined): ServiceRecord | undefined {
  const data = configMap?.['data']
  const parent = configMap && parentInGroup(configMap.metadata)
  if (configMap === undefined || parent === undefined || !isJsonObject(data)) return undefined
  const { data: read } = z.safeParse(schema, { ...data, addresses: parseJson(String(data['addresses'])) })
  if (read === undefined || configMap.metadata.name !== recordName(read.service)) return undefined
  const { annotations = {}, labels: all = {} } = configMap.metadata
  const groupsOf = (key: keyof typeof groupAnnotations): readonly string[] =>
    annotations[groupAnnotations[key]]?.split(',').filter((one) => one !== '') ?? []
  return {
    service: read.service,
    parent,
    group: all[labels.proxyGroup] ?? '',
    former: groupsOf('former'),
    leaving: groupsOf('leaving'),
    addresses: read.addresses,
    fqdn: read.fqdn,
    refused: read.refused,
  }
}

/** All groups that have to do with a Tailscale Service. */
export const hostsIn = ({ group, former, leaving }: Hosts): readonly string[] => [
  ...new Set([group, ...former, ...leaving]),
]

/** As it is kept when its object has another name that works: nobody is to advertise it any more. */
export const givenUp = (record: ServiceRecord): ServiceRecord => ({ ...record, former: [], leaving: hostsIn(record) })

export const isGivenUp = ({ group, leaving }: Hosts): boolean => leaving.includes(group)

/** The same by the record: for an index. */
export function groupsIn(configMap: KubeObject): readonly string[] {
  const record = readRecord(configMap)
  return record === undefined ? [] : hostsIn(record)
}

export function recordObject(record: ServiceRecord, namespace: string): KubeObject {
  const { service, parent, group, addresses, fqdn, refused } = record
  const annotations = Object.fromEntries(
    (['former', 'leaving'] as const).flatMap((key) =>
      record[key].length === 0 ? [] : [[groupAnnotations[key], record[key].join(',')]],
    ),
  )
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: recordName(service),
      namespace,
      labels: { ...labelsOf(parent), [labels.proxyGroup]: group },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    data: {
      service,
      addresses: JSON.stringify(addresses),
      ...(fqdn !== undefined && { fqdn }),
      ...(refused !== undefined && { refused }),
    },
  }
}

/** What the operator has of the tailnet for a parent: one, and while its name changes, more. */
export const recordsFor = (world: World, parent: Parent): readonly ServiceRecord[] =>
  world.by(configMaps, 'parentInGroup', parentValue(parent)).flatMap((configMap) => readRecord(configMap) ?? [])

/** The same, that of the name which the parent asks for first. */
export const namesFor = (world: World, parent: Parent, asked: string | undefined): readonly ServiceRecord[] =>
  recordsFor(world, parent).toSorted((one, other) => Number(other.service === asked) - Number(one.service === asked))

export const recordOf = (world: World, service: string, namespace: string): ServiceRecord | undefined =>
  readRecord(world.get(configMaps, recordKey(service, namespace)))
