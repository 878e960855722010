import * as z from 'zod/mini'
import { proxyClasses } from '../objects/resources.ts'
import { ageColumn, type Definition, statusColumn } from './definition.ts'
import { anything, conditions, field, maybe, texts } from './field.ts'
import { containerFields, labelMap, schedulingFields } from './pod.ts'

const enable = (what: string) => field(what, z.boolean())
const port = (what: string) => field(what, z.int().check(z.minimum(1), z.maximum(65535)), { format: 'int32' })

const pod = z.object({
  labels: maybe('Further labels of the Pods.', labelMap()),
  annotations: maybe('Further annotations of the Pods.', texts()),
  ...schedulingFields,
  tailscaleContainer: maybe(
    'The container of the proxy.',
    z.object({
      ...containerFields,
      debug: maybe(
        'Debug endpoint of tailscaled on port 9001 of the Pod.',
        z.object({ enable: z.optional(enable('Whether there is one.')) }),
      ),
    }),
  ),
  tailscaleInitContainer: maybe(
    'The init container that turns forwarding on.',
    z.object({ ...containerFields, debug: maybe('Not possible here.', z.object({ enable: z.optional(z.boolean()) })) }),
  ),
})

const template = z.looseObject({
  metadata: maybe(
    'Labels and annotations.',
    z.looseObject({ labels: maybe('Labels.', texts()), annotations: maybe('Annotations.', texts()) }),
  ),
  spec: maybe('Any field of a Pod.', anything()),
})

const spec = z.object({
  statefulSet: maybe(
    'The StatefulSet of the proxies.',
    z.object({
      labels: maybe('Further labels of the StatefulSet.', labelMap()),
      annotations: maybe('Further annotations of the StatefulSet.', texts()),
      pod: maybe('The Pods. Fields replace those of the operator as a whole.', pod),
      template: maybe(
        'A Pod template that is merged into that of the proxies, after all other fields, as `kubectl patch` does: lists of containers, volumes, variables and so on by their names. A field with the value `{$patch: delete}` is removed, and so is an item of a list that has it. Tailscale’s operator does not know this field.',
        template,
      ),
    }),
  ),
  metrics: maybe(
    'Metrics of the proxies, on port 9002 and by a Service.',
    z.object({
      enable: enable('Whether there are any.'),
      serviceMonitor: maybe(
        'A ServiceMonitor of the Prometheus operator for them.',
        z.object({
          enable: enable('Whether there is one.'),
          labels: maybe('Labels of the ServiceMonitor.', labelMap()),
        }),
      ),
    }),
    {},
    [
      {
        cel: '!(has(self.serviceMonitor) && self.serviceMonitor.enable && !self.enable)',
        message: 'a ServiceMonitor needs metrics: set metrics.enable, too',
        holds: (one) => one.serviceMonitor?.enable !== true || one.enable,
      },
    ],
  ),
  tailscale: maybe(
    'The devices.',
    z.object({ acceptRoutes: maybe('Whether they use routes of subnet routers. Default: false.', z.boolean()) }),
  ),
  useLetsEncryptStagingEnvironment: maybe(
    'Certificates from Let’s Encrypt’s staging environment, for tests. Default: false.',
    z.boolean(),
  ),
  staticEndpoints: maybe(
    'Fixed addresses at which the tailnet reaches the proxies of a ProxyGroup.',
    z.object({
      nodePort: maybe(
        'By Services with ports of nodes.',
        z.object({
          ports: field(
            'The ports of nodes to choose from.',
            z
              .array(
                z.object({
                  port: port('The port, or the first of a range.'),
                  endPort: z.optional(port('The last port of the range.')),
                }),
              )
              .check(z.minLength(1)),
          ),
          selector: maybe('Labels of the nodes whose external addresses are used.', texts()),
        }),
      ),
      loadBalancer: maybe(
        'By a load balancer for each proxy, whose IP addresses are used. Tailscale’s operator does not know this field.',
        z.object({
          loadBalancerClass: maybe('Class of the Services. Default: that of the cluster.', z.string()),
          annotations: maybe('Annotations of the Services, which tell the cloud what to make.', texts()),
        }),
      ),
    }),
    {},
    [
      {
        cel: 'has(self.nodePort) != has(self.loadBalancer)',
        message: 'set either nodePort or loadBalancer',
        holds: (one) => (one.nodePort === undefined) !== (one.loadBalancer === undefined),
      },
    ],
  ),
})
export type ProxyClassSpec = z.infer<typeof spec>

export const proxyClass = {
  resource: proxyClasses,
  description: 'How the proxies of Services, Ingresses, Connectors and groups are run.',
  shortNames: [],
  columns: [statusColumn('ProxyClassReady'), ageColumn],
  spec,
  status: z.object({ conditions: conditions() }),
} satisfies Definition
