import { isDeepStrictEqual } from 'node:util'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Change } from '../../kube/controller/store.ts'
import { keys as stateKeys } from '../../wire/state-secret.ts'
import { groupOf } from '../group/group.ts'
import { parentInGroup, parentOf, parentResources } from '../objects/parent.ts'
import * as resources from '../objects/resources.ts'
import { textIn } from '../proxy/state.ts'
import type { World } from '../world/world.ts'
import { presentFor } from '../proxy/owned.ts'
import { namedBy, parentFor } from './ask.ts'
import { type Concern, ingressesWith, serviceOf } from './concerns.ts'
import { readRecord, recordKey, recordsFor } from './record.ts'
import { acceptedIn, addressesOf, advertisedIn, configuredIn, forwardedIn } from './replicas.ts'

/** What objects that ask something of groups are called in labels. */
export type UserType = 'svc' | 'ingress' | 'proxygroup'

const keysOf = (objects: Iterable<KubeObject>): readonly string[] => [...objects].map(({ metadata }) => keyOf(metadata))

/** The objects of a type for which another was made; of one that is gone, as labels have it. */
function parentKeys(type: UserType, { metadata }: KubeObject, world: World): readonly string[] {
  const parent = parentInGroup(metadata)
  if (parent?.type !== type) return []
  const object = presentFor(world, parent)
  if (object !== undefined) return keysOf([object])
  const { namespace, name } = parent
  return [keyOf({ namespace: namespace === '' ? undefined : namespace, name })]
}

/** The object that asks something of a group, and still has a proxy of its own with this Secret. */
function formerKeys(type: UserType, { metadata }: KubeObject, world: World): readonly string[] {
  const parent = parentOf(metadata)
  const object = parent?.type === type ? presentFor(world, parent) : undefined
  return object === undefined || namedBy(object).length === 0 ? [] : keysOf([object])
}

/** All objects of a type that ask something of a group, or for which its replicas host something. */
const usersOf = (type: UserType, group: string, world: World): readonly string[] => [
  ...keysOf(world.by(parentResources[type], 'group', group)),
  ...world.by(resources.configMaps, 'servedBy', group).flatMap((record) => parentKeys(type, record, world)),
]

/** All objects of a type that ask for these Tailscale Services. */
const named = (type: UserType, services: Iterable<string>, world: World): readonly string[] =>
  [...services].flatMap((service) => keysOf(world.by(parentResources[type], 'tailscaleService', service)))

/** The objects of a type that have these Tailscale Services, even if they ask for other names by now. */
const owners = (type: UserType, services: Iterable<string>, world: World, namespace = ''): readonly string[] =>
  [...services].flatMap((service) => {
    const record = world.get(resources.configMaps, recordKey(service, namespace))
    return record === undefined ? [] : parentKeys(type, record, world)
  })

/** Which objects of a type a change of another object concerns. */
export function userConcerns(type: UserType): readonly Concern[] {
  // Whoever wants a name that the object had before is told until when it keeps that.
  const rivals: Concern['keys'] = (object, world) => {
    const had = recordsFor(world, parentFor(object)).map(({ service }) => service)
    return named(type, new Set([...namedBy(object), ...had]), world)
  }
  const parents: Concern['keys'] = (child, world) => parentKeys(type, child, world)
  const record: Concern['keys'] = (configMap, world) => {
    const service = readRecord(configMap)?.service
    return [...parents(configMap, world), ...named(type, service === undefined ? [] : [service], world)]
  }
  return [
    { resource: resources.services, keys: rivals },
    { resource: resources.ingresses, keys: rivals },
    { resource: resources.configMaps, keys: record },
    { resource: resources.secrets, keys: parents },
    { resource: resources.secrets, keys: (secret, world) => formerKeys(type, secret, world) },
    { resource: resources.roles, keys: parents },
    { resource: resources.roleBindings, keys: parents },
    { resource: resources.proxyGroups, keys: rivals },
    { resource: resources.proxyGroups, keys: ({ metadata: { name } }, world) => usersOf(type, name, world) },
    ...ofType[type],
  ]
}

const ofServices: readonly Concern[] = [
  {
    resource: resources.endpointSlices,
    keys: (slice, world) => keysOf([serviceOf(slice, world) ?? []].flat().filter((one) => namedBy(one).length > 0)),
  },
]

const ofIngresses: readonly Concern[] = [
  { resource: resources.services, keys: (service, world) => keysOf(ingressesWith(service, world)) },
  {
    resource: resources.ingressClasses,
    keys: (_class, world) => keysOf([...world.all(resources.ingresses)].filter((one) => namedBy(one).length > 0)),
  },
]

const ofType: Readonly<Record<UserType, readonly Concern[]>> = { svc: ofServices, ingress: ofIngresses, proxygroup: [] }

/**
 * Which objects of a type the change of a replica concerns: a replica says all about all Tailscale Services in one
 * Secret, and mostly something changes for one of them.
 */
export function concernedBy(type: UserType, { before, after }: Change, world: World): readonly string[] {
  const group = groupOf(after ?? before)
  if (group === undefined) return []
  if (!isDeepStrictEqual(essence(before), essence(after))) return usersOf(type, group, world)
  const services = changed(before, after)
  return [...named(type, services, world), ...owners(type, services, world, (after ?? before)?.metadata.namespace)]
}

/** What counts for all that a group's replicas host. */
function essence(object: KubeObject | undefined): unknown {
  if (object === undefined) return undefined
  const { uid, deletionTimestamp } = object.metadata
  if (object.kind === 'Pod') return { uid, deletionTimestamp, addresses: addressesOf(object) }
  return [uid, ...[stateKeys.podUid, stateKeys.deviceFqdn, stateKeys.certificates].map((key) => textIn(object, key))]
}

const none: ReadonlySet<string> = new Set()

function changed(before: KubeObject | undefined, after: KubeObject | undefined): ReadonlySet<string> {
  if (before === undefined || after === undefined || after.kind === 'Pod') return new Set()
  const sets = [advertisedIn, acceptedIn, configuredIn].flatMap((read) => [
    ...(read(before) ?? none).symmetricDifference(read(after) ?? none),
  ])
  const [one, other] = [forwardedIn(before).mappings, forwardedIn(after).mappings]
  const mapped = [...one.keys(), ...other.keys()].filter((name) => !isDeepStrictEqual(one.get(name), other.get(name)))
  return new Set([...sets, ...mapped])
}
