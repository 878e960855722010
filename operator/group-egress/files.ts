import { isJsonObject } from '../../lib/json.ts'
import { memoOf } from '../../lib/memo.ts'
import { type EgressEntry, parseEgressServices, renderEgressServices } from '../../wire/egress-services.ts'
import { renderHealthPings } from '../../wire/health-pings.ts'
import { pack } from '../../wire/packed.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { configMapName } from '../group/group.ts'
import type { Group } from '../group/group.ts'
import { configMaps } from '../objects/resources.ts'
import { resolveClass } from '../proxy-class/resolve.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { entryOf, servedBy } from './cluster-service.ts'

export const servicesFile = 'egress-services'
const pingsFile = 'hep-pings'

/** A larger file is compressed, for agents that can read that: each change of it goes to all nodes of the group. */
const plainBytes = 256 * 1024
/** The API takes 1 MiB for all files of a ConfigMap. */
export const roomBytes = 1_040_000

/** The name of a group's ConfigMap. */
export const configName = (group: string): string => configMapName({ name: group, type: 'egress' })

/** Which agent a group runs; as the operator's settings say while its ProxyClass is not valid. */
export function agentOfGroup(
  { proxyClass }: Pick<Group, 'proxyClass'>,
  world: World,
  settings: Pick<OperatorSettings, 'agent'>,
): 'culvert' | 'upstream' {
  const of = proxyClass === undefined ? undefined : resolveClass(proxyClass, world)
  return (of !== undefined && !('notReady' in of) && of.agent) || settings.agent
}

/** What a group's Pods are to forward, the oldest first: a function of the ClusterIP Services of the group alone. */
export function entriesOf(
  world: Pick<World, 'get' | 'by'>,
  group: string,
  settings: Pick<OperatorSettings, 'clusterDomain'>,
): readonly EgressEntry[] {
  const age = ({ metadata }: KubeObject): string => `${String(metadata['creationTimestamp'])} ${metadata.uid}`
  const entries = new Map<string, EgressEntry>()
  for (const service of servedBy(world, group).toSorted((a, b) => (age(a.object) < age(b.object) ? -1 : 1))) {
    const entry = entryOf(service, world, settings)
    if (entry !== undefined && !entries.has(entry.name)) entries.set(entry.name, entry)
  }
  return [...entries.values()]
}

/**
 * The files of a group's ConfigMap. What does not fit is left out, the newest first: the other Services must not wait
 * for room.
 */
export function egressFiles(
  entries: readonly EgressEntry[],
  { replicas, agent }: { readonly replicas: number; readonly agent: 'culvert' | 'upstream' },
): Readonly<Record<string, string | Uint8Array>> {
  const written = (count: number): string | Uint8Array => {
    const byName = entries.slice(0, count).toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const text = renderEgressServices(byName)
    return agent === 'upstream' || Buffer.byteLength(text) <= plainBytes ? text : pack(text)
  }
  let [count, file] = [entries.length, written(entries.length)]
  for (let size = Buffer.byteLength(file); size > roomBytes; size = Buffer.byteLength(file)) {
    count = Math.floor((count * roomBytes * 0.99) / size)
    file = written(count)
  }
  return { [pingsFile]: renderHealthPings(replicas * 3), [servicesFile]: file }
}

/** What a group's ConfigMap has now: entries by name, and the size of the file in bytes. */
export type Mounted = { readonly entries: ReadonlyMap<string, EgressEntry>; readonly bytes: number }

const nothing: Mounted = { entries: new Map(), bytes: 0 }

export const mountedIn = memoOf(({ binaryData }: KubeObject): Mounted => {
  const text = isJsonObject(binaryData) ? binaryData[servicesFile] : undefined
  if (typeof text !== 'string') return nothing
  const bytes = Buffer.from(text, 'base64')
  try {
    return { entries: parseEgressServices(bytes).services, bytes: bytes.length }
  } catch {
    return nothing
  }
})

export function mountedOf(world: Pick<World, 'get'>, namespace: string, group: string): Mounted {
  const object = world.get(configMaps, `${namespace}/${configName(group)}`)
  return object === undefined ? nothing : mountedIn(object)
}
