import { byLabel, bySecret, type Index } from '../../kube/controller/indexes.ts'
import { trimFor } from '../../kube/controller/managed.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource, Scope } from '../../kube/controller/resource.ts'
import { proxyClassOf } from '../objects/class-of.ts'
import { labels, type ParentType } from '../objects/names.ts'
import { parentOf, parentValue } from '../objects/parent.ts'
import * as resources from '../objects/resources.ts'
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

/** Everything that the operator follows. What it makes is looked for only in its own namespace, and by label. */
export function followed(namespace: string): readonly Followed[] {
  const parent = (resource: Resource, type: ParentType, found: Index = itself(type)): Followed => ({
    resource,
    scope: {},
    indexes: { parent: found, class: classes },
    trim,
  })
  const child = (resource: Resource, more: Partial<Followed> = {}): Followed => ({
    resource,
    scope: { namespace, labels: `${labels.managed}=true` },
    indexes: { parent: children },
    trim,
    ...more,
  })
  const all = (resource: Resource, scope: Scope = {}): Followed => ({ resource, scope, indexes: {}, trim })
  return [
    parent(resources.services, 'svc', (object) => [
      ...itself('svc')(object),
      // Elsewhere, labels are what users have written.
      ...(object.metadata.namespace === namespace ? children(object) : []),
    ]),
    parent(resources.ingresses, 'ingress'),
    parent(resources.connectors, 'connector'),
    child(resources.secrets, { trim: (object) => trim(withoutState(object)) }),
    child(resources.serviceAccounts),
    child(resources.roles),
    child(resources.roleBindings),
    child(resources.networkPolicies),
    child(resources.statefulSets, { indexes: { parent: children, secret: bySecret } }),
    child(resources.pods, { indexes: { parent: children, app: byLabel(labels.app) }, trim: essence }),
    all(resources.namespaces, { fields: `metadata.name=${namespace}` }),
    { ...all(resources.customResourceDefinitions, { fields: `metadata.name=${serviceMonitors}` }), trim: nameOnly },
    child(resources.serviceMonitors, { needs: serviceMonitors }),
    all(resources.ingressClasses),
    all(resources.proxyClasses),
    all(resources.proxyGroups),
    all(resources.recorders),
    all(resources.dnsConfigs),
    all(resources.tailnets),
    all(resources.peerRelays),
    all(resources.proxyGroupPolicies),
  ]
}

/** Without tailscaled's own state: it is large, holds private keys, and the operator has no use for it. */
function withoutState(secret: KubeObject): KubeObject {
  const { data } = secret
  if (typeof data !== 'object' || data === null) return secret
  const kept = Object.entries(data).filter(([name]) => !name.startsWith('_') && !name.startsWith('profile-'))
  return { ...secret, data: Object.fromEntries(kept) }
}

/** What the operator wants to know of a Pod. */
function essence({ apiVersion, kind, metadata: all, status }: KubeObject): KubeObject {
  const { managedFields: _fields, annotations: _annotations, ...metadata } = all
  return { apiVersion, kind, metadata, status }
}
