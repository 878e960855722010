import * as z from 'zod/mini'
import { proxyGroups } from '../objects/resources.ts'
import { ageColumn, type Definition, statusColumn } from './definition.ts'
import {
  conditions,
  namedDevices,
  hostnamePrefix,
  immutable,
  maybe,
  proxyClass,
  replicas,
  strings,
  tags,
  tailnet,
} from './field.ts'

export const proxyGroup = {
  resource: proxyGroups,
  description: 'A group of proxies that serve many Services or Ingresses together, or the Kubernetes API.',
  shortNames: ['pg'],
  columns: [
    statusColumn('ProxyGroupReady'),
    { name: 'URL', path: '.status.url' },
    { name: 'Type', path: '.spec.type' },
    ageColumn,
  ],
  spec: z.object({
    type: immutable('What the proxies do.', 'type of a ProxyGroup', z.enum(['egress', 'ingress', 'kube-apiserver'])),
    hostnamePrefix: hostnamePrefix(),
    replicas: replicas(2),
    tags: tags('those of the operator'),
    proxyClass: proxyClass(),
    tailnet: tailnet('ProxyGroup'),
    kubeAPIServer: maybe(
      'For the type kube-apiserver.',
      z.object({
        mode: maybe(
          'auth: requests are made as the user of the tailnet; noauth: as they come. Default: auth.',
          z.enum(['auth', 'noauth']),
        ),
        hostname: maybe(
          'Name of the Tailscale Service. Default: that of the ProxyGroup.',
          z.string().check(z.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)),
        ),
      }),
    ),
  }),
  status: z.object({
    conditions: conditions(),
    devices: namedDevices({ staticEndpoints: maybe('Fixed addresses and ports of the device.', strings()) }),
    url: maybe('URL of the Kubernetes API in the tailnet.', z.string()),
  }),
} satisfies Definition
