import { isDeepStrictEqual } from 'node:util'
import { UserError } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { apiVersionOf } from '../../kube/controller/resource.ts'
import { isJsonObject, type JsonObject, parseJson } from '../../lib/json.ts'
import { memoOf } from '../../lib/memo.ts'
import type { GroupView } from '../group/use.ts'
import { parentResources } from '../objects/parent.ts'
import { configMaps } from '../objects/resources.ts'
import { configMapName } from '../group/group.ts'
import { presentFor } from '../proxy/owned.ts'
import { apiSite, hasReadyContainers } from './api-group.ts'
import { askers, askOf } from './ask.ts'
import { certificateLack } from './certificate.ts'
import { hasEndpoint, mappingOf, siteOf, webPortsOf } from './entries.ts'
import { isOurFinalizer } from './names.ts'
import { readRecord, recordOf, type ServiceRecord } from './record.ts'
import { type Replica, replicasOf } from './replicas.ts'

/** The files of a group's ConfigMap: what its replicas serve of Ingresses, and forward to Services. */
export const files = { sites: 'serve-config.json', mappings: 'ingress-config.json' } as const

/** A Tailscale Service that the replicas of a group host, or are to. */
export type Use = {
  /** Its name. */
  readonly service: string
  readonly object: KubeObject
  /** In which of the files it has an entry. */
  readonly file: keyof typeof files
  /** Undefined if the replicas have nothing to serve for it. */
  readonly entry: JsonObject | undefined
  /** Why no replica is to advertise it; undefined if they are. */
  readonly lack: string | undefined
  /** What else is not as asked, though it is advertised. */
  readonly partly: string | undefined
  /**
   * `arriving`: replicas of another group host it, and go on until those of this one do. `leaving`: they do, and this
   * one only serves the clients that still come to it.
   */
  readonly phase: 'staying' | 'arriving' | 'leaving'
  /** What the operator knows of it; undefined if another operator has provided for it, and this one is about to. */
  readonly record: ServiceRecord | undefined
}

/** What the files hold in bytes: an object of the API has 1 MiB, and its text is a third longer than its bytes. */
const mostBytes = 700_000

/** All uses of a group, by their names: a function of what the cluster holds. */
export const usesOf = memoOf((view: GroupView): readonly Use[] =>
  fitting(
    view,
    [...recorded(view), ...taken(view)].toSorted((one, other) => (one.service < other.service ? -1 : 1)),
  ),
)

/** The same without those that other groups host by now. */
export const hostedUses = (view: GroupView): readonly Use[] => usesOf(view).filter(({ phase }) => phase !== 'leaving')

/** The entries of a group's ConfigMap by Tailscale Service. */
const entriesIn = memoOf((configMap: KubeObject): Readonly<Record<keyof typeof files, JsonObject>> => {
  const data = configMap['binaryData']
  const contentOf = (file: string): JsonObject => {
    const encoded = isJsonObject(data) ? data[file] : undefined
    const content = typeof encoded === 'string' ? parseJson(Buffer.from(encoded, 'base64').toString()) : undefined
    return isJsonObject(content) ? content : {}
  }
  const { Services } = contentOf(files.sites)
  return { sites: isJsonObject(Services) ? Services : {}, mappings: contentOf(files.mappings) }
})

/** Where the files of a group are. */
export const filesKey = ({ group, settings }: Pick<GroupView, 'group' | 'settings'>): string =>
  `${settings.namespace}/${configMapName(group)}`

/** What the group's ConfigMap has of a Tailscale Service now. */
function entryNow(view: GroupView, service: string, file: keyof typeof files) {
  const configMap = view.world.get(configMaps, filesKey(view))
  const entry = configMap && entriesIn(configMap)[file][service]
  return isJsonObject(entry) ? entry : undefined
}

const fileFor = ({ kind }: KubeObject): keyof typeof files => (kind === 'Service' ? 'mappings' : 'sites')

/** Uses whose Tailscale Services are this operator's own. They stay in the files until their records go. */
function recorded(view: GroupView): readonly Use[] {
  const records = view.world.by(configMaps, 'servedBy', view.group.name)
  return records.flatMap((configMap) => {
    const record = readRecord(configMap)
    return (record && useFor(view, record)) ?? []
  })
}

/** The use that a record is about; undefined if its object is gone. */
export function useFor(view: GroupView, record: ServiceRecord): Use | undefined {
  const object = presentFor(view.world, record.parent)
  if (object === undefined) return view.world.follows(keyOf(record.parent)) ? undefined : asBefore(view, record)
  const { service } = record
  const entry = entryOf(view, record, object)
  const isWanted = askOf(object, view.settings) !== undefined
  const lack = isWanted ? lackOf(view, record, object, entry) : 'somebody who asks for it'
  return {
    service,
    object,
    file: fileFor(object),
    entry,
    lack,
    partly: partlyOf(view, record, object),
    phase: phaseIn(view.group.name, record),
    record,
  }
}

/** What is served for an object that cannot be seen now. */
function asBefore(view: GroupView, { service, parent: { type, namespace, name } }: ServiceRecord): Use | undefined {
  const resource = parentResources[type]
  const object = { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: { namespace, name } }
  return unchanged(view, service, object)
}

/** Served and advertised as by now; undefined if it is not. */
function unchanged(view: GroupView, service: string, object: KubeObject): Use | undefined {
  const file = fileFor(object)
  const entry = object.kind === 'ProxyGroup' ? apiSiteNow(view, service) : entryNow(view, service, file)
  const well = { lack: undefined, partly: undefined, phase: 'staying', record: undefined } as const
  return entry === undefined ? undefined : { service, object, file, entry, ...well }
}

/** Proxies of Tailscale's operator serve it by themselves. */
const apiSiteNow = (view: GroupView, service: string): JsonObject | undefined =>
  replicasOf(view).some(({ configured }) => configured.has(service)) ? { ...apiSite } : undefined

function phaseIn(name: string, { group, former, leaving }: ServiceRecord): Use['phase'] {
  if (leaving.includes(name)) return 'leaving'
  return name === group && former.length > 0 ? 'arriving' : 'staying'
}

/** Uses that another operator has provided for: they stay as they are until this one has. */
function taken(view: GroupView): readonly Use[] {
  const { world, group, settings } = view
  return askers.flatMap((resource) =>
    world.by(resource, 'group', group.name).flatMap((object) => {
      const ask = askOf(object, settings)
      const isFinalized = object.metadata.finalizers?.some(isOurFinalizer) === true
      if (ask === undefined || !isFinalized) return []
      const { service } = ask
      if (recordOf(world, service, settings.namespace) !== undefined) return []
      return unchanged(view, service, object) ?? []
    }),
  )
}

function entryOf(view: GroupView, record: ServiceRecord, object: KubeObject): JsonObject | undefined {
  // One without addresses that is refused has never been this group's.
  if (object.kind === 'ProxyGroup')
    return record.refused !== undefined && record.addresses.length === 0 ? undefined : { ...apiSite }
  if (object.kind !== 'Ingress') return mappingOf(object, record.addresses)
  if (record.fqdn === undefined) return undefined
  try {
    return siteOf(object, record.fqdn, view.world, view.settings)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    // What was served before goes on until it is corrected.
    return entryNow(view, record.service, 'sites')
  }
}

function lackOf(
  view: GroupView,
  { fqdn, service, refused, addresses }: ServiceRecord,
  object: KubeObject,
  entry: JsonObject | undefined,
): string | undefined {
  if (refused !== undefined) return `its Tailscale Service, which belongs to somebody else by now: ${refused}`
  if (object.kind !== 'Service') {
    if (fqdn === undefined) return 'a replica that is in the tailnet, and so knows its domain'
    if (entry === undefined) return 'a path with a backend'
    return hasPort80(object) ? undefined : certificateLack(view, fqdn, service)
  }
  if (addresses.length === 0) return 'addresses, which the tailnet has not given it yet'
  if (entry === undefined) return 'a cluster IP of a family that the Tailscale Service has'
  return hasEndpoint(object, view.world) ? undefined : 'a Pod of the Service that is ready'
}

const hasPort80 = (object: KubeObject): boolean => object.kind === 'Ingress' && webPortsOf(object).length > 1

/** With port 80, an Ingress is advertised before it has a certificate. */
const partlyOf = (view: GroupView, { fqdn, service }: ServiceRecord, object: KubeObject): string | undefined =>
  fqdn !== undefined && hasPort80(object) ? certificateLack(view, fqdn, service) : undefined

const sizeOf = ({ service, entry }: Pick<Use, 'service' | 'entry'>): number =>
  Buffer.byteLength(JSON.stringify(entry ?? {})) + service.length + 4

const lacksRoom =
  'room in the group: what its replicas serve would be more than a ConfigMap can hold; use another group'

/**
 * When not all have room in the files, what is there stays: first those that would take more than they have now keep
 * that, or nothing if they are new, the youngest first; only then do others go without.
 */
function fitting(view: GroupView, uses: readonly Use[]): readonly Use[] {
  let over = uses.reduce((sum, use) => sum + sizeOf(use), 0) - mostBytes
  if (over <= 0) return uses
  const age = ({ object }: Use): string => String(object.metadata['creationTimestamp'])
  const youngest = uses.toSorted((one, other) => (age(one) < age(other) ? 1 : -1))
  const instead = new Map<Use, Use>()
  const give = (use: Use, entry: JsonObject | undefined): void => {
    const other = { ...use, entry, ...(entry === undefined ? { lack: lacksRoom } : { partly: lacksRoom }) }
    over -= sizeOf(instead.get(use) ?? use) - sizeOf(other)
    instead.set(use, other)
  }
  for (const use of youngest) {
    const entry = entryNow(view, use.service, use.file)
    if (over > 0 && sizeOf({ ...use, entry }) < sizeOf(use)) give(use, entry)
  }
  for (const use of youngest) if (over > 0) give(use, undefined)
  return uses.map((use) => instead.get(use) ?? use)
}

/** The texts of the files. Both are there from the beginning, since agents of others do not notice one that goes. */
export function filesOf(view: GroupView): Readonly<Record<string, string>> {
  const of = (file: keyof typeof files) =>
    Object.fromEntries(
      usesOf(view).flatMap((use) => (use.file === file && use.entry !== undefined ? [[use.service, use.entry]] : [])),
    )
  const sites = of('sites')
  return {
    [files.sites]: JSON.stringify(Object.keys(sites).length === 0 ? {} : { Services: sites }),
    [files.mappings]: JSON.stringify(of('mappings')),
  }
}

/**
 * Whether a replica is to advertise a Tailscale Service. What an Ingress needs is the same for all replicas; only one
 * that takes a site over from others must be accepted before, as it can serve the certificate only then. Packets are
 * forwarded only by a replica that says so, and the API is served by a container of its own.
 */
export function isAdvertisedBy(use: Use, replica: Replica): boolean {
  const { service, file, object, entry, lack, phase, record } = use
  if (lack !== undefined || phase === 'leaving') return false
  if (record === undefined) return replica.configured.has(service)
  if (object.kind === 'ProxyGroup') return hasReadyContainers(replica.pod)
  if (file === 'sites') return phase !== 'arriving' || replica.accepted?.has(service) !== false
  return isDeepStrictEqual(replica.forwarded.get(service), entry)
}
