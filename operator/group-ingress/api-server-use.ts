import { configMapName } from '../group/group.ts'
import type { GroupUse, GroupView, UseReport } from '../group/use.ts'
import { called } from '../objects/annotations.ts'
import type { Condition } from '../objects/conditions.ts'
import { apiAgentVariables, apiConfig, apiConfigFile, apiContainer } from './api-server.ts'
import { isSameParent, objectOf, parentFor, serviceFor } from './ask.ts'
import { gateType } from './gate.ts'
import { advertisedFor, filesFolder } from './ingress-use.ts'
import { recordOf, recordsFor, type ServiceRecord } from './record.ts'
import { groupConcerns } from './concerns.ts'
import { standingOf } from './standing.ts'
import { files, filesOf, useFor } from './uses-of.ts'

/** Groups whose replicas make the API of the cluster reachable as a Tailscale Service. */
export const apiServerUse: GroupUse = {
  type: 'kube-apiserver',
  files: (view) => ({
    [files.sites]: filesOf(view)[files.sites] ?? '{}',
    [apiConfigFile]: apiConfig(view.group.mode, nameIn(view)),
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
    sidecar: apiContainer(settings.apiServerImage, configMapName(group), filesFolder),
  }),
  device: advertisedFor,
  report,
  concerns: groupConcerns.map(({ resource, keys }) => ({ resource, groups: keys })),
}

const isGranted = ({ refused }: ServiceRecord): boolean => refused === undefined

/** The record of the name that the group has: of the one that it asks for, or still of the one before. */
function recordFor({ world, group }: GroupView): ServiceRecord | undefined {
  const asked = serviceFor(group.object)
  const records = recordsFor(world, parentFor(group.object))
  return records.find(({ service }) => service === asked) ?? records.find(isGranted)
}

/** What its proxies show the certificate of: while another name is refused, still the one before. */
function nameIn(view: GroupView): string {
  const record = recordFor(view)
  const usable =
    record?.refused === undefined ? record : recordsFor(view.world, parentFor(view.group.object)).find(isGranted)
  return (usable ?? record)?.service ?? serviceFor(view.group.object)
}

function report(view: GroupView): UseReport {
  const record = recordFor(view)
  const use = record && useFor(view, record)
  const { serving, replicas, missing } =
    use === undefined
      ? { serving: 0, replicas: view.group.replicas, missing: 'its Tailscale Service' }
      : standingOf(view, use)
  const refused = record?.refused ?? takenFrom(view)
  const waits = missing === undefined ? '' : `; waits for ${missing}`
  const message = refused ?? `${serving}/${replicas} proxy backends ready and advertising${waits}`
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
    lack: isConfigured && refused === undefined ? undefined : message,
  }
}

/** That another object has the name that the group asks for. */
function takenFrom({ world, group, settings }: GroupView): string | undefined {
  const service = serviceFor(group.object)
  const parent = recordOf(world, service, settings.namespace)?.parent
  if (parent === undefined || isSameParent(parent, parentFor(group.object))) return undefined
  const other = objectOf(world, parent)
  return `${service} is that of ${other === undefined ? 'an object that is gone' : called(other)}`
}

const condition = (type: string, isTrue: boolean, otherwise: string, message: string): Condition => ({
  type,
  status: isTrue ? 'True' : 'False',
  reason: isTrue ? type : otherwise,
  message,
})
