import type { KubeObject } from '../../kube/controller/object.ts'
import { labels } from '../objects/names.ts'
import { labelsOf } from '../objects/parent.ts'
import { environment } from '../proxy/environment.ts'
import { withHealthProbe } from '../proxy/health-probe.ts'
import { metricsObjects } from '../proxy/metrics.ts'
import { rights } from '../proxy/rights.ts'
import { policyOf } from '../proxy/stuck.ts'
import { configSuffix } from '../proxy/surplus.ts'
import { podTemplate } from '../proxy/template.ts'
import { acmeRules, acmeVariables } from './acme.ts'
import { configFile } from './device-config.ts'
import type { StaticEndpoints } from './endpoints.ts'
import { accountOf, configMapName, type Group, parentOfGroup } from './group.ts'
import type { GroupUse, GroupView, PodView } from './use.ts'

export type ChildrenOptions = PodView & {
  readonly use: GroupUse
  readonly endpoints: StaticEndpoints | undefined
  /** The group's StatefulSet, if there is one already. */
  readonly present: KubeObject | undefined
  /** How many replicas it may have now. */
  readonly replicas: number
  /** Names of state Secrets beyond the replicas whose Pods may still run. */
  readonly surplus: readonly string[]
}

const metadataOf = (name: string, namespace: string): KubeObject['metadata'] => ({
  name,
  namespace,
  labels: labelsOf(parentOfGroup(name)),
})

/** What the replicas do, as files. */
export function groupConfigMap(use: GroupUse, view: GroupView): KubeObject {
  const { group, settings } = view
  const files = Object.entries(use.files(view)).map(([name, content]) => [
    name,
    Buffer.from(content).toString('base64'),
  ])
  const metadata = { ...metadataOf(group.name, settings.namespace), name: configMapName(group) }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, binaryData: Object.fromEntries(files) }
}

/** The Secret to which a replica's agent and tailscaled write; the Pods may not create it. */
export function stateSecret(group: Group, ordinal: number, namespace: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: secretMetadata(group, ordinal, namespace, 'state') }
}

export function secretMetadata(
  { name }: Group,
  ordinal: number,
  namespace: string,
  type: 'config' | 'state',
): KubeObject['metadata'] {
  const own = `${name}-${ordinal}${type === 'config' ? configSuffix : ''}`
  return { name: own, namespace, labels: { ...labelsOf(parentOfGroup(name)), [labels.secretType]: type } }
}

/**
 * The objects of a group besides its Secrets and its ConfigMap, in the order in which they are to be applied: what Pods
 * need comes before the StatefulSet.
 */
export function groupChildren(options: ChildrenOptions): readonly KubeObject[] {
  const { group, settings, endpoints, class: of, surplus } = options
  const { name } = group
  const { namespace } = settings
  const metadata = metadataOf(name, namespace)
  const selector = labelsOf(parentOfGroup(name))
  const states = group.hostnames.map((_, ordinal) => `${name}-${ordinal}`)
  return [
    ...rights(metadata, [...states, ...surplus], { more: acmeRules(group, settings), account: accountOf(group) }),
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      // A replica that does not work anyway keeps no node from being drained.
      spec: { maxUnavailable: 1, selector: { matchLabels: selector }, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
    },
    ...(endpoints?.services ?? []),
    ...(of?.metrics === true
      ? metricsObjects({ parent: parentOfGroup(name), name, namespace, selector, type: 'proxygroup', class: of })
      : []),
    statefulSet(options, metadata, selector),
  ]
}

function statefulSet(
  options: ChildrenOptions,
  metadata: KubeObject['metadata'],
  selector: Readonly<Record<string, string>>,
): KubeObject {
  const { replicas, agent, class: of, present } = options
  const object: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata,
    spec: {
      replicas,
      // It can be set only once. In order, a template that does not work could not even be taken back.
      podManagementPolicy: policyOf(present) ?? 'Parallel',
      selector: { matchLabels: selector },
      template: templateOf(options, selector),
    },
  }
  return withHealthProbe(of === undefined ? object : of.overlay(object), agent)
}

function templateOf(options: ChildrenOptions, selector: Readonly<Record<string, string>>) {
  const { group, settings, agent, class: of, use, endpoints } = options
  const {
    mode = 'kernel',
    variables,
    preStop,
    readinessGates,
    graceSeconds,
    capabilities = [],
    sidecar,
  } = use.pod(options)
  const common = { agent, debug: of?.debug === true, metrics: of?.metrics === true }
  const all = [
    ...(agent === 'upstream' ? [{ name: 'TS_STATE', value: 'kube:$(POD_NAME)' }] : []),
    ...(endpoints === undefined ? [] : [{ name: 'PORT', value: String(endpoints.port) }]),
    ...acmeVariables(group, settings),
    ...variables,
  ]
  return podTemplate({
    ...common,
    ...mounted(options),
    image: settings.proxyImage,
    account: accountOf(group),
    labels: selector,
    selector,
    // As with Tailscale's operator: that of the settings is for proxies of their own.
    priorityClass: '',
    mode,
    env: environment({
      ...common,
      isGroup: true,
      request: {
        mode,
        app: `k8s-operator-proxygroup-${group.type}`,
        variables: all,
        serveConfig: undefined,
      },
      firewallMode: mode === 'kernel' ? settings.firewallMode : '',
      isStaging: of?.isStaging === true && group.type !== 'egress',
    }),
    capabilities,
    graceSeconds,
    isHealthServed: variables.some(({ name, value }) => name === 'TS_ENABLE_HEALTH_CHECK' && value === 'true'),
    preStop,
    readinessGates,
    sidecar,
  })
}

/** So many replicas come and go without a change of the template, which would replace all Pods. */
const step = 8

/** The configs of all replicas, since a template cannot name just the one of its Pod, and the files of the group. */
function mounted({ group, agent }: ChildrenOptions) {
  const room = agent === 'culvert' ? Math.ceil(group.replicas / step) * step : group.replicas
  const all = Array.from({ length: room }, (_, ordinal) => ({
    name: `tailscaledconfig-${ordinal}`,
    pod: `${group.name}-${ordinal}`,
  }))
  const only = agent === 'culvert' && { items: [{ key: configFile, path: configFile }], optional: true }
  const files = configMapName(group)
  return {
    volumes: [
      ...all.map(({ name, pod }) => ({ name, secret: { secretName: `${pod}${configSuffix}`, ...only } })),
      { name: files, configMap: { name: files } },
    ],
    mounts: [
      ...all.map(({ name, pod }) => ({ name, mountPath: `/etc/tsconfig/${pod}`, readOnly: true })),
      { name: files, mountPath: '/etc/proxies', readOnly: true },
    ],
  }
}
