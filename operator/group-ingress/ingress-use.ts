import type { GroupUse, GroupView } from '../group/use.ts'
import { groupConcerns } from './concerns.ts'
import { gateType } from './gate.ts'
import { replicaOf } from './replicas.ts'
import { groupCondition } from './standing.ts'
import { files, filesOf, isAdvertisedBy, usesOf } from './uses-of.ts'

/** Where the files of a group are in its Pods. */
export const filesFolder = '/etc/proxies'

/** What a replica's config lets it advertise. */
export function advertisedFor(view: GroupView, ordinal: number): Readonly<Record<string, unknown>> {
  const replica = replicaOf(view, ordinal)
  const advertised = usesOf(view).filter((use) => isAdvertisedBy(use, replica))
  return advertised.length === 0 ? {} : { AdvertiseServices: advertised.map(({ service }) => service) }
}

/** Groups whose replicas make Services and Ingresses of the cluster reachable as Tailscale Services. */
export const ingressUse: GroupUse = {
  type: 'ingress',
  files: filesOf,
  pod: () => ({
    variables: [
      { name: 'TS_INGRESS_PROXIES_CONFIG_PATH', value: `${filesFolder}/${files.mappings}` },
      { name: 'TS_SERVE_CONFIG', value: `${filesFolder}/${files.sites}` },
      { name: 'TS_EXPERIMENTAL_CERT_SHARE', value: 'true' },
    ],
    readinessGates: [gateType],
    // Sites are listened on, mostly on ports below 1024.
    capabilities: ['NET_BIND_SERVICE'],
    // It goes on for 20 s after it has withdrawn what it advertises.
    graceSeconds: 60,
  }),
  device: advertisedFor,
  report: (view) => ({ conditions: [groupCondition(view)] }),
  concerns: groupConcerns.map(({ resource, keys }) => ({ resource, groups: keys })),
}
