import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { readOperatorSettings } from '../../operator/settings/read.ts'
import { followed } from '../../operator/world/followed.ts'
import type { World } from '../../operator/world/world.ts'

/** The operator's settings where nothing but the namespace is set. */
export const { settings } = readOperatorSettings({
  env: {
    OPERATOR_NAMESPACE: 'tailscale',
    CLIENT_ID_FILE: '/oauth/client_id',
    CLIENT_SECRET_FILE: '/oauth/client_secret',
  },
  resolvConf: '',
  podNamespace: undefined,
  version: '1',
})

/** What the operator sees of a cluster with these objects. */
export function worldOf(...objects: readonly KubeObject[]): World {
  const all: World['all'] = ({ kind }) => objects.filter((object) => object.kind === kind)
  const indexesOf = new Map(followed(settings.namespace).map(({ resource, indexes }) => [resource.kind, indexes]))
  return {
    follows: () => true,
    all,
    get: (resource, key) => [...all(resource)].find(({ metadata }) => keyOf(metadata) === key),
    by: (resource, index, value) =>
      [...all(resource)].filter((object) => indexesOf.get(resource.kind)?.[index]?.(object).includes(value)),
  }
}

type Metadata = Partial<KubeObject['metadata']>
type Spec = Readonly<Record<string, unknown>>

let made = 0
const object = (apiVersion: string, kind: string, name: string, metadata: Metadata, fields: Spec): KubeObject => ({
  apiVersion,
  kind,
  // Each is younger than those before it.
  metadata: {
    name,
    namespace: 'apps',
    uid: `uid-${name}`,
    creationTimestamp: new Date((made += 1000)).toISOString(),
    ...metadata,
  },
  ...fields,
})

export const ingress = (name: string, spec: Spec = {}, metadata: Metadata = {}, status: Spec = {}): KubeObject =>
  object('networking.k8s.io/v1', 'Ingress', name, metadata, {
    spec: { ingressClassName: 'tailscale', ...spec },
    status,
  })

export const service = (name: string, spec: Spec = {}, metadata: Metadata = {}, status: Spec = {}): KubeObject =>
  object('v1', 'Service', name, metadata, {
    spec: {
      clusterIP: '10.96.0.9',
      clusterIPs: [spec['clusterIP'] ?? '10.96.0.9'],
      ports: [{ port: 80, name: 'http' }],
      ...spec,
    },
    status,
  })

export const ingressClass = (controller: string, name = 'tailscale'): KubeObject =>
  object('networking.k8s.io/v1', 'IngressClass', name, { namespace: undefined } as unknown as Metadata, {
    spec: { controller },
  })
