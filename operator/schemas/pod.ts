import * as z from 'zod/mini'
import { anything, field, maybe, texts } from './field.ts'

/**
 * Parts of Pods. Of what Kubernetes itself checks when the StatefulSet is applied, only the outline is checked here,
 * and all of it is kept.
 */

export const labelMap = () =>
  z.record(z.string(), z.string().check(z.maxLength(63), z.regex(/^(([a-zA-Z0-9][-._a-zA-Z0-9]*)?[a-zA-Z0-9])?$/)))

const amounts = () => z.record(z.string(), z.union([z.int(), z.string()]))

/** What the container of a proxy and its init container have in common. */
export const containerFields = {
  env: maybe(
    'Further variables; they take precedence.',
    z.array(
      z.object({
        name: field('Name of the variable.', z.string().check(z.regex(/^[-._a-zA-Z][-._a-zA-Z0-9]*$/))),
        value: maybe('Value, which may have $(NAME) of variables before it.', z.string()),
      }),
    ),
  ),
  image: maybe('Image, instead of that of the operator’s settings.', z.string()),
  imagePullPolicy: maybe('When the image is pulled.', z.enum(['Always', 'Never', 'IfNotPresent'])),
  resources: maybe(
    'Requests and limits.',
    z.object({
      requests: maybe('What is reserved.', amounts()),
      limits: maybe('What is allowed.', amounts()),
      claims: maybe('Not used.', z.array(anything())),
    }),
  ),
  securityContext: maybe('Replaces that of the container as a whole.', anything()),
}

/** How Pods are scheduled and run. */
export const schedulingFields = {
  affinity: maybe('Where Pods are placed.', anything()),
  nodeName: maybe('The node on which Pods run, without the scheduler.', z.string()),
  nodeSelector: maybe('Labels of the nodes on which Pods may run.', texts()),
  tolerations: maybe('Taints of nodes that Pods tolerate.', z.array(anything())),
  topologySpreadConstraints: maybe('How Pods are spread.', z.array(anything())),
  priorityClassName: maybe('PriorityClass of the Pods.', z.string()),
  securityContext: maybe('Security context of the Pods.', anything()),
  imagePullSecrets: maybe('Secrets for pulling images.', z.array(z.looseObject({ name: z.optional(z.string()) }))),
  dnsPolicy: maybe('How Pods resolve names.', z.enum(['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'])),
  dnsConfig: maybe('Name servers and search domains of the Pods.', anything()),
}
