import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { optional } from '../../lib/json.ts'

const containers = optional(
  z.array(
    z.object({
      name: z.string(),
      state: optional(
        z.object({ waiting: optional(z.object({ reason: optional(z.string()), message: optional(z.string()) })) }),
      ),
    }),
  ),
)
const schema = z.object({
  conditions: optional(z.array(z.object({ type: z.string(), status: z.string(), message: optional(z.string()) }))),
  initContainerStatuses: containers,
  containerStatuses: containers,
})

/** Usual on the way to a running container. */
const usual: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing'])

/** Whether a container is about to start, as far as the Pod's status says. */
export const isStarting = ({ status }: KubeObject): boolean => waitingIn(status).some(({ reason }) => usual.has(reason))

/** Why a Pod cannot start, as kubelet and scheduler say it; undefined if it has started, or is about to. */
export function troubleOf({ metadata, status }: KubeObject): string | undefined {
  const { data } = z.safeParse(schema, status)
  const unscheduled = data?.conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False')
  if (unscheduled !== undefined) return `Pod ${metadata.name} is not scheduled: ${unscheduled.message ?? ''}`.trim()
  const waiting = waitingIn(status).find(({ reason }) => !usual.has(reason))
  if (waiting === undefined) return undefined
  const { name, reason, message } = waiting
  // The message of a crash has the time of the next attempt in it.
  const details = reason === 'CrashLoopBackOff' || !message ? '' : `: ${message}`
  return `container ${name} of Pod ${metadata.name} waits: ${reason}${details}`
}

function waitingIn(status: unknown) {
  const { data } = z.safeParse(schema, status)
  return [...(data?.initContainerStatuses ?? []), ...(data?.containerStatuses ?? [])].flatMap(({ name, state }) =>
    state?.waiting?.reason ? [{ name, reason: state.waiting.reason, message: state.waiting.message }] : [],
  )
}
