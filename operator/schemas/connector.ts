import * as z from 'zod/mini'
import { connectors } from '../objects/resources.ts'
import { ageColumn, type Definition, statusColumn } from './definition.ts'
import {
  conditions,
  deviceFields,
  field,
  hostnamePrefix,
  maybe,
  proxyClass,
  replicas,
  strings,
  tags,
  tailnet,
} from './field.ts'

const routes = () =>
  z.array(field('A network, such as 10.0.0.0/8.', z.string(), { format: 'cidr' })).check(z.minLength(1))

const spec = field(
  'What the devices do: at least one of subnetRouter, exitNode and appConnector, of which the last goes with no other.',
  z.object({
    subnetRouter: maybe(
      'The tailnet reaches networks through the devices.',
      z.object({ advertiseRoutes: field('These networks; 4via6 networks, too.', routes()) }),
    ),
    exitNode: maybe('The tailnet reaches the internet through the devices.', z.boolean()),
    appConnector: maybe(
      'The tailnet reaches the domains of apps through the devices; domains are set in the policy of the tailnet.',
      z.object({ routes: maybe('Networks of the apps that are known beforehand.', routes()) }),
    ),
    hostname: maybe(
      'Name in the tailnet of the only device.',
      z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/)),
    ),
    hostnamePrefix: hostnamePrefix(),
    replicas: replicas(1),
    tags: tags('those of the operator'),
    proxyClass: proxyClass(),
    tailnet: tailnet('Connector'),
  }),
  {},
  [
    {
      cel: 'has(self.subnetRouter) || (has(self.exitNode) && self.exitNode) || has(self.appConnector)',
      message: 'a Connector needs at least one of subnetRouter, exitNode: true and appConnector',
      holds: (one) => one.subnetRouter !== undefined || one.exitNode === true || one.appConnector !== undefined,
    },
    {
      cel: '!has(self.appConnector) || !(has(self.subnetRouter) || (has(self.exitNode) && self.exitNode))',
      message: 'appConnector cannot be together with subnetRouter or exitNode',
      holds: (one) => one.appConnector === undefined || (one.subnetRouter === undefined && one.exitNode !== true),
    },
    {
      cel: '!(has(self.hostname) && has(self.replicas) && self.replicas > 1)',
      message: 'hostname is for one device: with more replicas, use hostnamePrefix',
      holds: (one) => one.hostname === undefined || (one.replicas ?? 1) <= 1,
    },
    {
      cel: '!(has(self.hostname) && has(self.hostnamePrefix))',
      message: 'hostname and hostnamePrefix cannot be together',
      holds: (one) => one.hostname === undefined || one.hostnamePrefix === undefined,
    },
  ],
)
export type ConnectorSpec = z.infer<typeof spec>

const status = z.object({
  conditions: conditions(),
  subnetRoutes: maybe('Networks that the devices offer, separated by commas.', z.string()),
  isExitNode: maybe('Whether the devices are exit nodes.', z.boolean()),
  isAppConnector: maybe('Whether the devices are app connectors.', z.boolean()),
  devices: maybe('The devices in the tailnet.', z.array(z.object(deviceFields))),
  hostname: maybe('Full name of the first device.', z.string()),
  tailnetIPs: maybe('Addresses of the first device.', strings()),
})

export const connector = {
  resource: connectors,
  description: 'Devices through which the tailnet reaches networks: subnet routers, exit nodes or app connectors.',
  shortNames: ['cn'],
  columns: [
    { name: 'SubnetRoutes', path: '.status.subnetRoutes' },
    { name: 'IsExitNode', path: '.status.isExitNode' },
    { name: 'IsAppConnector', path: '.status.isAppConnector' },
    statusColumn('ConnectorReady'),
    ageColumn,
  ],
  spec,
  status,
} satisfies Definition
