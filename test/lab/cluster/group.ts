import type { KubeObject } from './kubectl.ts'
import {
  account,
  deviceConfig,
  eventsRule,
  proxyNamespace,
  type ProxySpec,
  type Volume,
  type Workload,
  workload,
} from './proxy.ts'

export type GroupType = 'egress' | 'ingress'

/** A ProxyGroup; its replicas, their state Secrets and their devices are `<name>-0` and so on. */
export type GroupSpec = Pick<ProxySpec, 'name' | 'image'> &
  Partial<Pick<ProxySpec, 'env' | 'container'> & Pick<Workload, 'mounts'>> & {
    /** The type; a group without one forwards nothing. */
    readonly type?: GroupType
    readonly replicas: number
    /** An auth key for all replicas. */
    readonly authKey: string
  }

/** Labels that select a group's Pods. */
export const groupLabels = (name: string) => ({
  'tailscale.com/managed': 'true',
  'tailscale.com/parent-resource-type': 'proxygroup',
  'tailscale.com/parent-resource': name,
})

export const replicasOf = ({ name, replicas }: Pick<GroupSpec, 'name' | 'replicas'>): string[] =>
  Array.from({ length: replicas }, (_, index) => `${name}-${index}`)

/** What each type adds to the Pods. */
const types: Readonly<Record<GroupType, { readonly env: Record<string, string>; container?: object; pod?: object }>> = {
  egress: {
    env: {
      TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies',
      TS_EGRESS_SERVICES_CONFIG_PATH: '/etc/proxies/egress-services',
    },
    container: { lifecycle: { preStop: { httpGet: { path: '/internal-egress-services-preshutdown', port: 9002 } } } },
    pod: {
      terminationGracePeriodSeconds: 360,
      readinessGates: [{ conditionType: 'tailscale.com/egress-services' }],
    },
  },
  ingress: {
    env: {
      TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/proxies/ingress-config.json',
      TS_SERVE_CONFIG: '/etc/proxies/serve-config.json',
      TS_EXPERIMENTAL_CERT_SHARE: 'true',
    },
    pod: { terminationGracePeriodSeconds: 60 },
  },
}

/**
 * The objects of a ProxyGroup, as an operator makes them: config and state of each replica in two Secrets, the latter
 * empty at first, a service account that may use just these, and the ConfigMap of the type. Readiness is that of the
 * agent.
 */
export function groupObjects(spec: GroupSpec): KubeObject[] {
  const { name, image, type, authKey, container, mounts = [] } = spec
  const states = replicasOf(spec)
  const configs = states.map((state) => `${state}-config`)
  const labels = groupLabels(name)
  const secrets = { apiGroups: [''], resources: ['secrets'] }
  const rules = [
    { ...secrets, verbs: ['list', 'watch'] },
    { ...secrets, resourceNames: [...states, ...configs], verbs: ['get', 'patch', 'update'] },
    eventsRule,
  ]
  const secret = (secretName: string, secretType: string, more: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: secretName,
      namespace: proxyNamespace,
      labels: { ...labels, 'tailscale.com/secret-type': secretType },
    },
    ...more,
  })
  const added = type && types[type]
  const map = `${name}-${type}-config`
  return [
    ...states.map((state) => secret(state, 'state')),
    ...states.map((state, index) =>
      secret(configs[index]!, 'config', { stringData: { 'cap-106.hujson': deviceConfig(state, authKey) } }),
    ),
    ...account(name, rules),
    ...(type === undefined ? [] : [groupConfig(name, type, {})]),
    workload({
      name,
      image,
      app: type === undefined ? 'k8s-operator-ingress-proxy' : `k8s-operator-proxygroup-${type}`,
      account: name,
      configs,
      podIPs: true,
      labels,
      mounts: [...(type === undefined ? [] : [{ volume: volumeOf(map), mountPath: '/etc/proxies' }]), ...mounts],
      env: {
        TS_STATE: 'kube:$(POD_NAME)',
        PORT: '41641',
        TS_ENABLE_HEALTH_CHECK: 'true',
        ...added?.env,
        ...spec.env,
      },
      container: {
        readinessProbe: {
          httpGet: { path: '/readyz', port: 9002 },
          periodSeconds: 1,
          timeoutSeconds: 3,
          failureThreshold: 1,
        },
        ...added?.container,
        ...container,
      },
      pod: added?.pod,
    }),
  ]
}

/** A volume with the files of a ConfigMap. */
export const volumeOf = (configMap: string): Volume => ({ name: configMap, configMap: { name: configMap } })

/** The ConfigMap with what the replicas of a group forward: texts by file name. */
export function groupConfig(name: string, type: GroupType, files: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `${name}-${type}-config`, namespace: proxyNamespace, labels: groupLabels(name) },
    binaryData: Object.fromEntries(
      Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString('base64')]),
    ),
  }
}
