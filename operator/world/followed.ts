import { byAnnotation, byLabel, bySecret, type Index } from '../../kube/controller/indexes.ts'
import { trimFor } from '../../kube/controller/managed.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Resource, Scope } from '../../kube/controller/resource.ts'
import { isJsonObject } from '../../lib/json.ts'
import { groupAskedBy, namedBy } from '../group-ingress/ask.ts'
import { groupsOf } from '../group-egress/cluster-service.ts'
import { isReady } from '../group-ingress/entries.ts'
import { groupsIn } from '../group-ingress/record.ts'
import { annotations } from '../objects/annotations.ts'
import { proxyClassOf } from '../objects/class-of.ts'
import { nodeNameOf } from '../objects/exposed.ts'
import { labels, type ParentType } from '../objects/names.ts'
import { parentInGroup as parentOfUse, parentOf, parentValue } from '../objects/parent.ts'
import * as resources from '../objects/resources.ts'
import { withoutPrivate } from './state.ts'
import type { IndexName } from './world.ts'

/** The field manager of everything that the operator writes, and its name in Events. */
export const manager = 'culvert-operator'

/** A resource that is followed: which of its objects, how they are found, and what is kept of them. */
export type Followed = {
  readonly resource: Resource
  readonly scope: Scope
  readonly indexes: Readonly<Partial<Record<IndexName, Index>>>
  readonly trim: (object: KubeObject) => KubeObject
  /** It is followed once this CustomResourceDefinition exists, and nothing waits for it. */
  readonly needs?: string
}

const children: Index = ({ metadata }) => {
  const parent = parentOf(metadata)
  return parent === undefined ? [] : [parentValue(parent)]
}
const itself =
  (type: ParentType): Index =>
  ({ metadata: { namespace = '', name } }) => [parentValue({ type, namespace, name })]
const classes: Index = (object) => [proxyClassOf(object) ?? '']

const groups = byAnnotation(annotations.proxyGroup.name)
const madeForGroup = byLabel(labels.proxyGroup)
const parentInGroup: Index = ({ metadata }) => {
  const parent = parentOfUse(metadata)
  return parent === undefined ? [] : [parentValue(parent)]
}

const trim = trimFor(manager)

/** Whether this kind exists decides what a ProxyClass can ask for. */
export const serviceMonitors = 'servicemonitors.monitoring.coreos.com'
const nameOnly = ({
  apiVersion,
  kind,
  metadata: { name, uid = '', resourceVersion = '' },
}: KubeObject): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, uid, resourceVersion },
})

/**
 * Where objects of a resource are looked for: in all namespaces, or in each of those that the operator is for.
 * `namespaces`: as those of the settings.
 */
export const scopesOf = (
  { resource, scope }: Pick<Followed, 'resource' | 'scope'>,
  namespaces: readonly string[],
): readonly Scope[] =>
  !resource.namespaced || scope.namespace !== undefined || namespaces.length === 0
    ? [scope]
    : namespaces.map((namespace) => ({ ...scope, namespace }))

/** Everything that the operator follows. What it makes is looked for only in its own namespace, and by label. */
export function followed(namespace: string): readonly Followed[] {
  const parent = (
    resource: Resource,
    type: ParentType,
    indexes: Followed['indexes'] = { parent: itself(type) },
  ): Followed => ({ resource, scope: {}, indexes: { class: classes, ...indexes }, trim })
  const child = (resource: Resource, more: Partial<Followed> = {}): Followed => ({
    resource,
    scope: { namespace, labels: `${labels.managed}=true` },
    indexes: { parent: children },
    trim,
    ...more,
  })
  const all = (resource: Resource, scope: Scope = {}): Followed => ({ resource, scope, indexes: {}, trim })
  const here =
    (index: Index): Index =>
    (object) =>
      object.metadata.namespace === namespace ? index(object) : []
  return [
    parent(resources.services, 'svc', {
      // Elsewhere, labels are what users have written.
      parent: (object) => [...itself('svc')(object), ...here(children)(object)],
      group: groups,
      nodeName: (service) => [nodeNameOf(service).toLowerCase()],
      madeForGroup: here((object) => [...new Set([...madeForGroup(object), ...groupsOf(object)])]),
      tailscaleService: namedBy,
      parentInGroup: here(parentInGroup),
    }),
    parent(resources.ingresses, 'ingress', { parent: itself('ingress'), group: groups, tailscaleService: namedBy }),
    parent(resources.connectors, 'connector'),
    parent(resources.recorders, 'recorder'),
    child(resources.secrets, {
      indexes: { parent: children, parentInGroup },
      trim: (object) => trim(withoutPrivate(object)),
    }),
    child(resources.serviceAccounts),
    child(resources.roles, { indexes: { parent: children, parentInGroup } }),
    child(resources.roleBindings, { indexes: { parent: children, parentInGroup } }),
    child(resources.networkPolicies),
    child(resources.configMaps, { indexes: { parent: children, parentInGroup, servedBy: groupsIn } }),
    {
      resource: resources.endpointSlices,
      scope: {},
      indexes: {
        parentInGroup: here(parentInGroup),
        service: ({ metadata }) => [keyOf({ ...metadata, name: metadata.labels?.[serviceLabel] ?? '' })],
      },
      trim: (slice) => (slice.metadata.namespace === namespace ? trim(slice) : readiness(slice)),
    },
    child(resources.podDisruptionBudgets),
    child(resources.statefulSets, { indexes: { parent: children, secret: bySecret } }),
    child(resources.pods, { indexes: { parent: children, app: byLabel(labels.app) }, trim: essence }),
    all(resources.namespaces, { fields: `metadata.name=${namespace}` }),
    { ...all(resources.customResourceDefinitions, { fields: `metadata.name=${serviceMonitors}` }), trim: nameOnly },
    child(resources.serviceMonitors, { needs: serviceMonitors }),
    all(resources.ingressClasses),
    all(resources.proxyClasses),
    { ...all(resources.nodes), trim: addressesOnly },
    parent(resources.proxyGroups, 'proxygroup', {
      parent: itself('proxygroup'),
      group: (object) => [groupAskedBy(object) ?? []].flat(),
      tailscaleService: namedBy,
    }),
    all(resources.dnsConfigs),
    all(resources.tailnets),
    all(resources.peerRelays),
    all(resources.proxyGroupPolicies),
  ]
}

const serviceLabel = 'kubernetes.io/service-name'

/** Of EndpointSlices of users, only whether some endpoint is ready: a cluster has many of them. */
function readiness(slice: KubeObject): KubeObject {
  const { labels: { [serviceLabel]: service = '' } = {}, namespace = '' } = slice.metadata
  const plain = nameOnly(slice)
  const metadata = { ...plain.metadata, namespace, labels: { [serviceLabel]: service } }
  return { ...plain, metadata, endpoints: isReady(slice) ? [{}] : [] }
}

/** What the operator wants to know of a Pod. */
function essence({ apiVersion, kind, metadata: whole, status }: KubeObject): KubeObject {
  const { managedFields: _fields, annotations: all = {}, ...metadata } = whole
  const own = Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith('culvert/')))
  return { apiVersion, kind, metadata: { ...metadata, annotations: own }, status }
}

/** What the operator wants to know of a Node, of which most changes often. */
function addressesOnly(node: KubeObject): KubeObject {
  const { name, uid = '', resourceVersion = '', labels: all = {} } = node.metadata
  const addresses = isJsonObject(node['status']) ? node['status']['addresses'] : undefined
  return { ...nameOnly(node), metadata: { name, uid, resourceVersion, labels: all }, status: { addresses } }
}
