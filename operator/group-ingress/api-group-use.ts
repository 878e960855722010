import { configMapName } from '../group/group.ts'
import type { GroupUse, GroupView, UseReport } from '../group/use.ts'
import { called } from '../objects/annotations.ts'
import type { Condition } from '../objects/conditions.ts'
import { presentFor } from '../proxy/owned.ts'
import { apiAgentVariables, apiConfig, apiConfigFile, apiContainer } from './api-group.ts'
import { isSameParent, parentFor, serviceFor } from './ask.ts'
import { gateType } from './gate.ts'
import { advertisedFor, filesFolder } from './ingress-use.ts'
import { namesFor, recordOf, type ServiceRecord } from './record.ts'
import { isIssuedFor } from './certificate.ts'
import { groupConcerns } from './concerns.ts'
import { standingOf } from './standing.ts'
import { files, filesOf, useFor } from './uses-of.ts'

/** Groups whose replicas make the API of the cluster reachable as a Tailscale Service. */
export const apiGroupUse: GroupUse = {
  type: 'kube-apiserver',
  files: (view) => ({
    [files.sites]: filesOf(view)[files.sites] ?? '{}',
    [apiConfigFile]: apiConfig(view.group.mode, namesIn(view)),
  }),
  pod: ({ group, settings }) => ({
    mode: 'userspace',
    variables: [
      ...apiAgentVariables,
      { name: 'TS_SERVE_CONFIG', value: `${filesFolder}/${files.sites}` },
      { name: 'TS_EXPERIMENTAL_CERT_SHARE', value: 'true' },
    ],
    readinessGates: [gateType],
    // As those of ingress; the proxy ends after that, when nobody can reach it any more.
    graceSeconds: 75,
    sidecar: apiContainer(
      settings.apiServerImage,
      { name: 'TS_K8S_PROXY_CONFIG', value: `${filesFolder}/${apiConfigFile}` },
      [{ name: configMapName(group), mountPath: filesFolder, readOnly: true }],
    ),
  }),
  device: advertisedFor,
  report,
  concerns: groupConcerns.map(({ resource, keys }) => ({ resource, groups: keys })),
}

/** The names that the group has: first the one that it asks for. */
const recordsOf = ({ world, group }: GroupView): readonly ServiceRecord[] =>
  namesFor(world, parentFor(group.object), serviceFor(group.object))

/**
 * The Tailscale Services whose certificates its proxies show: first those that have one. So a change of the first tells
 * all proxies when the certificate of a new name is there.
 */
function namesIn(view: GroupView): readonly string[] {
  const isIssued = ({ fqdn }: ServiceRecord): boolean =>
    fqdn !== undefined && isIssuedFor(view.world, fqdn, view.settings.namespace)
  const granted = recordsOf(view).filter(({ refused }) => refused === undefined)
  const names = granted.toSorted((one, other) => Number(isIssued(other)) - Number(isIssued(one)))
  return names.length === 0 ? [serviceFor(view.group.object)] : names.map(({ service }) => service)
}

function report(view: GroupView): UseReport {
  const asked = serviceFor(view.group.object)
  const all = recordsOf(view).flatMap((record) => {
    const use = useFor(view, record)
    return use === undefined ? [] : [{ record, ...standingOf(view, use) }]
  })
  const found = all.find(({ serving }) => serving > 0) ?? all[0]
  const { serving, replicas, record } = found ?? { serving: 0, replicas: view.group.replicas }
  const next = all.find(({ record: { service } }) => service === asked)
  const refused = next?.record.refused ?? takenFrom(view)
  const isFormer = record !== undefined && record.service !== asked
  const missing = next === undefined ? 'its Tailscale Service' : next.missing
  const waits = missing === undefined && !isFormer ? '' : `; waits for ${missing ?? `${asked} to be hosted`}`
  const message =
    refused ??
    `${serving}/${replicas} proxy backends ready and advertising${isFormer ? ` ${record.service}` : ''}${waits}`
  const isConfigured = serving > 0 && record?.fqdn !== undefined
  return {
    conditions: [
      condition(
        'KubeAPIServerProxyValid',
        refused === undefined,
        'KubeAPIServerProxyInvalid',
        refused ?? 'what it asks for is valid',
      ),
      condition('KubeAPIServerProxyConfigured', isConfigured, 'KubeAPIServerProxyNoBackends', message),
    ],
    ...(isConfigured && { status: { url: `https://${record.fqdn}` } }),
    lack: isConfigured && refused === undefined && !isFormer ? undefined : message,
  }
}

/** That another object has the name that the group asks for. */
function takenFrom({ world, group, settings }: GroupView): string | undefined {
  const service = serviceFor(group.object)
  const parent = recordOf(world, service, settings.namespace)?.parent
  if (parent === undefined || isSameParent(parent, parentFor(group.object))) return undefined
  const other = presentFor(world, parent)
  return `${service} is that of ${other === undefined ? 'an object that is gone' : called(other)}`
}

const condition = (type: string, isTrue: boolean, otherwise: string, message: string): Condition => ({
  type,
  status: isTrue ? 'True' : 'False',
  reason: isTrue ? type : otherwise,
  message,
})
