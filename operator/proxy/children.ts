import type { KubeObject } from '../../kube/controller/object.ts'
import { labels } from '../objects/names.ts'
import { labelsOf, type Parent } from '../objects/parent.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { ProxyClass } from './class.ts'
import { environment } from './environment.ts'
import { metricsObjects } from './metrics.ts'
import { mounted, readsSecret } from './mounts.ts'
import type { ProxyRequest } from './request.ts'
import { withHealthProbe } from './health-probe.ts'
import { type Rule, rights } from './rights.ts'
import { policyOf } from './stuck.ts'
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
  /** The StatefulSet that is there already. */
  readonly present: KubeObject | undefined
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
  const secrets = [...request.hostnames.keys().map((ordinal) => `${name}-${ordinal}`), ...options.surplus]
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack', selector },
    },
    ...rights(metadata, secrets, {
      more: readsSecret({ request, agent: agentOf(options) }) ? following(secrets) : [],
      account: request.account,
      own: request.special?.account,
    }),
    ...(hasMetrics(options)
      ? metricsObjects({ parent, name, namespace, selector, type: request.metrics!, class: options.class! })
      : []),
    statefulSet(options, metadata, selector),
  ]
}

/** What a StatefulSet was made with, which the API shows in other words. */
const claimsNote = 'culvert/volume-claims'
const noteOf = (claims: readonly KubeObject[]): string => JSON.stringify(claims.map(({ spec }) => spec))

/** Whether a StatefulSet has these claims, which can be set only once. */
export const hasClaims = ({ metadata }: KubeObject, claims: readonly KubeObject[] = []): boolean =>
  (metadata.annotations?.[claimsNote] ?? noteOf([])) === noteOf(claims)

/** To learn at once of a change. */
const following = (resourceNames: readonly string[]): readonly Rule[] =>
  resourceNames.length === 0
    ? []
    : [{ apiGroups: [''], resources: ['secrets'], resourceNames, verbs: ['list', 'watch'] }]

/** Whether the proxies have an endpoint of metrics: the class wants it, and this kind has them. */
const hasMetrics = ({ class: of, request }: ChildrenOptions): boolean =>
  of?.metrics === true && request.metrics !== undefined

function statefulSet(
  options: ChildrenOptions,
  metadata: KubeObject['metadata'],
  selector: Readonly<Record<string, string>>,
): KubeObject {
  const { name, request, class: of, present, settings } = options
  const { special } = request
  const agent = agentOf(options)
  const common = {
    agent,
    debug: of?.debug === true && request.metrics !== undefined,
    metrics: hasMetrics(options),
  }
  const { volumes, mounts } = mounted({ name, request, agent })
  const template = podTemplate({
    ...common,
    volumes: [...volumes, ...(special?.volumes ?? [])],
    mounts,
    image: settings.proxyImage,
    account: request.account ?? special?.account.name ?? name,
    labels: { ...metadata.labels, ...selector },
    selector,
    priorityClass: settings.priorityClass,
    mode: request.mode,
    env: environment({
      ...common,
      request,
      firewallMode: request.mode === 'kernel' ? settings.firewallMode : '',
      isStaging: of?.isStaging === true && request.serveConfig !== undefined,
    }),
    opensPorts: request.variables.some(({ name: variable }) => variable === 'CULVERT_DEST_PORTS'),
    // What is served to the cluster, too, is listened on, and mostly on a port below 1024.
    capabilities: request.serveConfig === undefined ? [] : ['NET_BIND_SERVICE'],
    sidecar: request.sidecar,
  })
  const claims = special?.volumeClaims ?? []
  const object: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { ...metadata, ...(claims.length > 0 && { annotations: { [claimsNote]: noteOf(claims) } }) },
    spec: {
      replicas: request.hostnames.length,
      // It can be set only once. In order, a template that does not work could not even be corrected.
      podManagementPolicy: policyOf(present) ?? 'Parallel',
      serviceName: name,
      selector: { matchLabels: selector },
      ...(claims.length > 0 && { volumeClaimTemplates: claims }),
      template,
    },
  }
  const overlay = special?.overlay ?? of?.overlay
  const finished = overlay === undefined ? object : overlay(object)
  return withHealthProbe(finished, agent)
}
