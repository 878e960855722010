import * as z from 'zod/mini'
import { peerRelays } from '../objects/resources.ts'
import { ageColumn, type Definition, statusColumn } from './definition.ts'
import { conditions, field, hostnamePrefix, listMap, maybe, proxyClass, tags, tailnet, texts } from './field.ts'

const port = () => z.int().check(z.minimum(1), z.maximum(65535))
const int32 = { format: 'int32' } as const

export const peerRelay = {
  resource: peerRelays,
  description: 'Devices that relay traffic between others that do not reach each other directly.',
  shortNames: ['pr'],
  columns: [ageColumn, statusColumn('PeerRelayReady'), { name: 'Endpoints', path: '.status.endpoints[*].address' }],
  spec: field(
    'The relays and how they are reached.',
    z.object({
      tags: tags('those of the operator'),
      hostnamePrefix: hostnamePrefix(),
      proxyClass: proxyClass(),
      tailnet: tailnet('PeerRelay'),
      replicas: maybe('Number of devices.', z.int().check(z.minimum(0)), { ...int32, default: 1 }),
      service: maybe(
        'The Services of type LoadBalancer.',
        z.object({
          annotations: maybe('Their annotations; some for clouds are fixed.', texts()),
          port: maybe('The UDP port of Service and relay. Default: 41641.', port(), int32),
        }),
      ),
      staticEndpoints: maybe(
        'Further addresses and ports at which the relays are reached.',
        z.array(z.string().check(z.regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}$/))),
        { 'x-kubernetes-list-type': 'set' },
      ),
      aws: maybe(
        'For the AWS Load Balancer Controller.',
        z.object({
          elasticIPs: field(
            'One for each replica, in their order.',
            z
              .array(
                z.object({
                  allocationID: field('The Elastic IP.', z.string().check(z.regex(/^eipalloc-[0-9a-f]+$/))),
                  subnetID: field('Its subnet.', z.string().check(z.regex(/^subnet-[0-9a-f]+$/))),
                }),
              )
              .check(z.minLength(1)),
            { 'x-kubernetes-list-type': 'atomic' },
          ),
        }),
      ),
    }),
    {},
    [
      {
        cel: '!has(self.aws) || self.aws.elasticIPs.size() >= self.replicas',
        message: 'aws.elasticIPs needs an entry for each replica',
        holds: ({ aws, replicas = 1 }) => aws === undefined || aws.elasticIPs.length >= replicas,
      },
    ],
  ),
  status: z.object({
    conditions: conditions(),
    endpoints: maybe(
      'Where the relays are reached.',
      z.array(
        z.object({
          replica: field('Number of the replica.', z.int(), int32),
          address: field('IP address.', z.string()),
          port: field('UDP port.', z.int(), int32),
        }),
      ),
      listMap('replica', 'address'),
    ),
  }),
} satisfies Definition
