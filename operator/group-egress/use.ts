import type { GroupUse } from '../group/use.ts'
import { services } from '../objects/resources.ts'
import { groupAccess } from './access.ts'
import { groupsOf, servedBy } from './cluster-service.ts'
import { agentOfGroup, egressFiles, entriesOf } from './files.ts'
import { gateType } from './gate.ts'

/** Groups of the type egress: what their Pods forward, and how they wait for it, at both ends of their lives. */
export const groupEgressUse: GroupUse = {
  type: 'egress',
  files: ({ group, world, settings }) =>
    egressFiles(entriesOf(world, group.name, settings), {
      replicas: group.replicas,
      agent: agentOfGroup(group, world, settings),
    }),
  objects: ({ group, world, settings }) =>
    [groupAccess(group.name, settings.namespace, servedBy(world, group.name))].flatMap((policy) => policy ?? []),
  pod: () => ({
    variables: [
      { name: 'TS_EGRESS_PROXIES_CONFIG_PATH', value: '/etc/proxies' },
      // For agents before the directory was followed.
      { name: 'TS_EGRESS_SERVICES_CONFIG_PATH', value: '/etc/proxies/egress-services' },
      { name: 'TS_ENABLE_HEALTH_CHECK', value: 'true' },
    ],
    readinessGates: [gateType],
    preStop: '/internal-egress-services-preshutdown',
    graceSeconds: 360,
  }),
  concerns: [
    {
      resource: services,
      // A user's Service only matters through its ClusterIP Service, which has all that was decided.
      groups: groupsOf,
    },
  ],
}
