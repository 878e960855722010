import { controlUrl } from '../namespaces/addresses.ts'
import { toolsImage } from './images.ts'
import type { KubeObject } from './cluster.ts'

export type ProxySpec = {
  /** The name of the StatefulSet; its Pod and the Pod's Secret are `<name>-0`. */
  readonly name: string
  readonly image: string
  readonly authKey: string
  /** The node's name in the tailnet; the Pod's when left out. */
  readonly hostname?: string
  /** The settings of the mode, such as TS_DEST_IP. */
  readonly env: Readonly<Record<string, string>>
  /** Further fields of the container, such as probes. */
  readonly container?: object
}

/** The namespace of operators' proxies. */
export const proxyNamespace = 'tailscale'

/** What all standalone proxies of an operator share: the namespace and the service account. */
export function proxyBase(): KubeObject[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: proxyNamespace } },
    ...account('proxies', [{ apiGroups: [''], resources: ['secrets'], verbs: ['*'] }, eventsRule]),
  ]
}

export const eventsRule = { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch', 'get'] }

/** A service account with its permissions. */
export function account(name: string, rules: readonly object[]): KubeObject[] {
  const metadata = { name, namespace: proxyNamespace }
  const rbac = 'rbac.authorization.k8s.io'
  const roleRef = { apiGroup: rbac, kind: 'Role', name }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef,
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    },
  ]
}

/** A device config as operators write it, for the bed's tailnet; `more` are further fields. */
export function deviceConfig(hostname: string, authKey?: string, more: object = {}): string {
  return JSON.stringify({
    Version: 'alpha0',
    Locked: false,
    ServerURL: controlUrl,
    ...(authKey !== undefined && { AuthKey: authKey }),
    Hostname: hostname,
    acceptDNS: false,
    acceptRoutes: false,
    AppConnector: { Advertise: false },
    NoStatefulFiltering: true,
    ...more,
  })
}

/**
 * The objects of one standalone proxy in kernel mode, as an operator makes them: one Secret for config and state, an
 * init container that turns forwarding on, and the agent with the privileges that this needs.
 */
export function proxyObjects({
  name,
  image,
  authKey,
  hostname = `${name}-0`,
  env,
  container = {},
}: ProxySpec): KubeObject[] {
  const metadata = { namespace: proxyNamespace, labels: labelsOf(name) }
  const config = deviceConfig(hostname, authKey)
  const secret = `${name}-0`
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: secret, ...metadata },
      stringData: {
        'cap-95.hujson': config.replace('"AppConnector":{"Advertise":false},', ''),
        'cap-107.hujson': config,
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, ...metadata },
      spec: { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack', selector: { app: name } },
    },
    workload({
      name,
      image,
      app: 'k8s-operator-ingress-proxy',
      account: 'proxies',
      configs: [secret],
      podIPs: false,
      env,
      container,
    }),
  ]
}

const labelsOf = (name: string) => ({ app: name, 'tailscale.com/managed': 'true' })

export type Volume = { readonly name: string; readonly [source: string]: unknown }

export type Workload = Pick<ProxySpec, 'name' | 'image' | 'env' | 'container'> & {
  /** TS_INTERNAL_APP, which tells tailscaled its purpose. */
  readonly app: string
  readonly account: string
  /** The Secrets with the device configs, one for each replica. */
  readonly configs: readonly string[]
  readonly podIPs: boolean
  /** Further volumes, and their mount paths. */
  readonly mounts?: readonly { readonly volume: Volume; readonly mountPath: string }[]
  readonly labels?: Readonly<Record<string, string>>
  /** Further fields of the Pod. */
  readonly pod?: object | undefined
}

/** The StatefulSet of a proxy or a group of them in kernel mode. */
export function workload({
  name,
  image,
  env,
  app,
  account: serviceAccountName,
  configs,
  podIPs,
  mounts = [],
  container = {},
  labels = labelsOf(name),
  pod = {},
}: Workload): KubeObject {
  const fromPod = (variable: string, fieldPath: string) => ({ name: variable, valueFrom: { fieldRef: { fieldPath } } })
  const variables = {
    TS_USERSPACE: 'false',
    TS_KUBE_SECRET: '$(POD_NAME)',
    TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT: 'false',
    TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '/etc/tsconfig/$(POD_NAME)',
    TS_DEBUG_ACME_FORCE_RENEWAL: 'true',
    ...env,
    TS_INTERNAL_APP: app,
  }
  const sysctler = {
    name: 'sysctler',
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['/bin/sh', '-c'],
    args: [
      'sysctl -w net.ipv4.ip_forward=1 && if sysctl net.ipv6.conf.all.forwarding; then sysctl -w net.ipv6.conf.all.forwarding=1; fi',
    ],
    securityContext: { privileged: true },
  }
  const all = [
    ...configs.map((secretName, index) => ({
      volume: { name: `tailscaledconfig-${index}`, secret: { secretName } },
      mountPath: `/etc/tsconfig/${name}-${index}`,
    })),
    ...mounts,
  ]
  const tailscale = {
    name: 'tailscale',
    image,
    imagePullPolicy: 'IfNotPresent',
    env: [
      fromPod('POD_IP', 'status.podIP'),
      ...(podIPs ? [fromPod('POD_IPS', 'status.podIPs')] : []),
      fromPod('POD_NAME', 'metadata.name'),
      fromPod('POD_UID', 'metadata.uid'),
      ...Object.entries(variables).map(([variable, value]) => ({ name: variable, value })),
    ],
    resources: { requests: { cpu: '1m', memory: '1Mi' } },
    securityContext: { privileged: true },
    volumeMounts: all.map(({ volume, mountPath }) => ({ name: volume.name, readOnly: true, mountPath })),
    ...container,
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace: proxyNamespace, labels },
    spec: {
      replicas: configs.length,
      serviceName: name,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, deletionGracePeriodSeconds: 10 },
        spec: {
          serviceAccountName,
          initContainers: [sysctler],
          containers: [tailscale],
          volumes: all.map(({ volume }) => volume),
          ...pod,
        },
      },
    },
  }
}

/** A backend for `ask`, and the dual-stack Service in front of it, both of this name; it listens on port 7000. */
export function backendObjects(name: string, namespace = 'default'): KubeObject[] {
  const labels = { app: name }
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: {
        selector: labels,
        ipFamilyPolicy: 'RequireDualStack',
        ports: ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), port: 7000, protocol })),
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'echo', image: toolsImage, command: ['echo-server', name, '7000'] }],
      },
    },
  ]
}
