import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject, type JsonObject } from '../../lib/json.ts'
import { containerName, healthPort } from './template.ts'

const variable = z.object({ name: z.string(), value: z.optional(z.string()) })
const container = z.looseObject({ name: z.string(), env: z.optional(z.array(z.looseObject(variable.shape))) })
const schema = z.looseObject({
  template: z.looseObject({ spec: z.looseObject({ containers: z.array(container) }) }),
})

/**
 * Has kubelet ask for health where a finished StatefulSet's environment says that it is served, since a ProxyClass may
 * have changed it. Tailscale's agent gets a readiness probe where it serves `/healthz`, which is only if its environment
 * says so.
 */
export function withHealthProbe(statefulSet: KubeObject, agent: 'culvert' | 'upstream'): KubeObject {
  const { data: spec } = z.safeParse(schema, statefulSet['spec'])
  if (spec === undefined) return statefulSet
  const pod = spec.template.spec
  const containers = pod.containers.map((one) => {
    const last = (name: string): string | undefined => one.env?.findLast((entry) => entry.name === name)?.value
    const port = Number((last('TS_LOCAL_ADDR_PORT') ?? `:${healthPort}`).split(':').at(-1))
    const isServed = one.name === containerName && last('TS_ENABLE_HEALTH_CHECK') === 'true' && port > 0
    if (!isServed) return one
    const moved = port === healthPort ? one : { ...one, ...movedTo(port, one) }
    if (agent === 'culvert' || 'readinessProbe' in one) return moved
    return { ...moved, readinessProbe: { httpGet: { path: '/healthz', port }, periodSeconds: 10, timeoutSeconds: 5 } }
  })
  if (containers.every((one, index) => one === pod.containers[index])) return statefulSet
  return { ...statefulSet, spec: { ...spec, template: { ...spec.template, spec: { ...pod, containers } } } }
}

/** What of a container asks the port for health, with another port. */
function movedTo(port: number, value: JsonObject): JsonObject {
  const asking = ['readinessProbe', 'livenessProbe', 'lifecycle', 'preStop', 'httpGet'] as const
  const parts = asking.flatMap((name) => {
    const part = value[name]
    return isJsonObject(part) ? [[name, { ...part, ...movedTo(port, part) }] as const] : []
  })
  return { ...Object.fromEntries(parts), ...(value['port'] === healthPort && { port }) }
}
