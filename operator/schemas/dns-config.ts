import * as z from 'zod/mini'
import { dnsConfigs } from '../objects/resources.ts'
import { ageColumn, type Definition } from './definition.ts'
import { conditions, field, maybe } from './field.ts'
import { schedulingFields } from './pod.ts'

export const dnsConfig = {
  resource: dnsConfigs,
  description: 'A name server for names of the tailnet, for use in the cluster.',
  shortNames: ['dc'],
  columns: [{ name: 'NameserverIP', path: '.status.nameserver.ip' }, ageColumn],
  spec: z.object({
    nameserver: field(
      'The name server.',
      z.object({
        image: maybe(
          'Its image.',
          z.object({
            repo: maybe('Default: tailscale/k8s-nameserver.', z.string()),
            tag: maybe('Default: stable.', z.string()),
          }),
        ),
        replicas: maybe('Number of Pods. Default: 1.', z.int().check(z.minimum(0)), { format: 'int32' }),
        service: maybe(
          'Its Service.',
          z.object({ clusterIP: maybe('The address of the Service; cannot be changed later.', z.string()) }),
        ),
        pod: maybe(
          'Its Pods.',
          z.object({
            tolerations: schedulingFields.tolerations,
            affinity: schedulingFields.affinity,
            nodeSelector: schedulingFields.nodeSelector,
            imagePullSecrets: schedulingFields.imagePullSecrets,
          }),
        ),
      }),
    ),
  }),
  status: z.object({
    conditions: conditions(),
    nameserver: maybe('The name server.', z.object({ ip: maybe('Address of its Service.', z.string()) })),
  }),
} satisfies Definition
