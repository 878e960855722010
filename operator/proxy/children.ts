import type { KubeObject } from '../../kube/controller/object.ts'
import { labels } from '../objects/names.ts'
import { labelsOf, type Parent } from '../objects/parent.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { ProxyClass } from './class.ts'
import { metricsObjects } from './metrics.ts'
import type { ProxyRequest } from './request.ts'
import { withHealthProbe } from './health-probe.ts'
import { podTemplate } from './template.ts'

export type ChildrenOptions = {
  readonly parent: Parent
  /** The parent's UID. */
  readonly uid: string
  /** Of the StatefulSet, and of most others. */
  readonly name: string
  readonly request: ProxyRequest
  readonly class: ProxyClass | undefined
  /** Names of Secrets beyond the replicas whose Pods may still run. */
  readonly surplus: readonly string[]
  readonly settings: Pick<OperatorSettings, 'namespace' | 'proxyImage' | 'agent' | 'firewallMode' | 'priorityClass'>
}

/** Which agent the proxies run. */
export const agentOf = ({ class: of, settings }: Pick<ChildrenOptions, 'class' | 'settings'>): 'culvert' | 'upstream' =>
  of?.agent ?? settings.agent

/**
 * The objects of a parent's proxies besides the Secrets, in the order in which they are to be applied: what Pods need
 * comes before the StatefulSet.
 */
export function children(options: ChildrenOptions): readonly KubeObject[] {
  const { parent, uid, name, request, settings } = options
  const { namespace } = settings
  const own = labelsOf(parent)
  const metadata = { name, namespace, labels: own }
  const selector = { [labels.app]: uid }
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack', selector },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    role(metadata, [...request.hostnames.keys().map((ordinal) => `${name}-${ordinal}`), ...options.surplus]),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    ...(hasMetrics(options)
      ? metricsObjects({ parent, name, namespace, selector, type: request.metrics!, class: options.class! })
      : []),
    statefulSet(options, metadata, selector),
  ]
}

/** Whether the proxies have an endpoint of metrics: the class wants it, and this kind has them. */
const hasMetrics = ({ class: of, request }: ChildrenOptions): boolean =>
  of?.metrics === true && request.metrics !== undefined

function statefulSet(
  options: ChildrenOptions,
  metadata: KubeObject['metadata'],
  selector: Readonly<Record<string, string>>,
): KubeObject {
  const { name, request, class: of, settings } = options
  const agent = agentOf(options)
  const template = podTemplate({
    request,
    agent,
    firewallMode: request.mode === 'kernel' ? settings.firewallMode : '',
    debug: of?.debug === true && request.metrics !== undefined,
    metrics: hasMetrics(options),
    isStaging: of?.isStaging === true && request.serveConfig !== undefined,
    image: settings.proxyImage,
    name,
    labels: { ...metadata.labels, ...selector },
    selector,
    priorityClass: settings.priorityClass,
  })
  const object: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata,
    spec: { replicas: request.hostnames.length, serviceName: name, selector: { matchLabels: selector }, template },
  }
  const finished = of === undefined ? object : of.overlay(object)
  return agent === 'upstream' ? withHealthProbe(finished) : finished
}

/** Only the Secrets of these proxies; they exist before the Pods do. */
const role = (metadata: KubeObject['metadata'], resourceNames: readonly string[]): KubeObject => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata,
  rules: [
    // A rule without names would be for all Secrets.
    ...(resourceNames.length === 0
      ? []
      : [{ apiGroups: [''], resources: ['secrets'], resourceNames, verbs: ['get', 'update', 'patch'] }]),
    { apiGroups: [''], resources: ['events'], verbs: ['get', 'create', 'patch'] },
  ],
})
