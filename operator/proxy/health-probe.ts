import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { containerName } from './template.ts'

const variable = z.object({ name: z.string(), value: z.optional(z.string()) })
const container = z.looseObject({ name: z.string(), env: z.optional(z.array(z.looseObject(variable.shape))) })
const schema = z.looseObject({
  template: z.looseObject({ spec: z.looseObject({ containers: z.array(container) }) }),
})

/**
 * Gives Tailscale's agent a readiness probe where it answers one: it serves `/healthz` only if its environment says so,
 * as a ProxyClass may.
 */
export function withHealthProbe(statefulSet: KubeObject): KubeObject {
  const { data: spec } = z.safeParse(schema, statefulSet['spec'])
  if (spec === undefined) return statefulSet
  const pod = spec.template.spec
  const containers = pod.containers.map((one) => {
    const last = (name: string): string | undefined => one.env?.findLast((entry) => entry.name === name)?.value
    const port = Number((last('TS_LOCAL_ADDR_PORT') ?? ':9002').split(':').at(-1))
    const isServed = one.name === containerName && last('TS_ENABLE_HEALTH_CHECK') === 'true' && port > 0
    if (!isServed || 'readinessProbe' in one) return one
    return { ...one, readinessProbe: { httpGet: { path: '/healthz', port }, periodSeconds: 10, timeoutSeconds: 5 } }
  })
  return { ...statefulSet, spec: { ...spec, template: { ...spec.template, spec: { ...pod, containers } } } }
}
