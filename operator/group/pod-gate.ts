import * as z from 'zod/mini'
import type { Api } from '../../kube/controller/api.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Store } from '../../kube/controller/store.ts'
import type { Clock } from '../../lib/clock.ts'
import { optional } from '../../lib/json.ts'
import { pods } from '../objects/resources.ts'
import { manager } from '../world/followed.ts'

/** Whether a Pod may count as ready as far as a gate is concerned, and why. */
export type GateVerdict = {
  readonly isOpen: boolean
  readonly reason: string
  readonly message: string
  /** Milliseconds after which the verdict changes by itself. */
  readonly again?: number
}

export type PodWriterOptions = {
  readonly api: Pick<Api, 'patch'>
  readonly store: Store
  readonly clock: Clock
}

export type PodWriter = ReturnType<typeof podWriter>

/**
 * What of a group's uses a new Pod still lacks after `waited` milliseconds, and for which of these it goes on waiting.
 * One that works `elsewhere` is worth more patience: a rollout that goes on would take it from its clients. One that
 * works nowhere has lost nothing.
 */
export function lacking<T extends { readonly isHere: boolean; readonly isElsewhere: boolean }>(
  uses: readonly T[],
  waited: number,
  patience: { readonly elsewhere: number; readonly nowhere: number },
): { readonly missing: readonly T[]; readonly waits: readonly T[]; readonly again: number } {
  const left = ({ isElsewhere }: T): number => (isElsewhere ? patience.elsewhere : patience.nowhere) - waited
  const missing = uses.filter(({ isHere }) => !isHere)
  const waits = missing.filter((one) => left(one) > 0)
  return { missing, waits, again: Math.min(...waits.map(left)) }
}

const schema = z.object({
  conditions: optional(
    z.array(
      z.object({
        type: z.string(),
        status: z.string(),
        reason: optional(z.string()),
        message: optional(z.string()),
        lastTransitionTime: optional(z.string()),
      }),
    ),
  ),
})

/** Writes what only the objects of Pods can have. A Pod that was replaced by another of its name is not touched. */
export function podWriter({ api, store, clock }: PodWriterOptions) {
  const send = async (
    { metadata }: KubeObject,
    patch: { readonly type: 'merge' | 'apply'; readonly body: unknown; readonly subresource?: 'status' },
    flight: Flight,
  ): Promise<void> => {
    const write = store.writing(keyOf(metadata))
    try {
      const options = { ...patch, manager, ...(patch.type === 'apply' && { force: true }) }
      const result = await api.patch(pods, metadata, options, flight.signal)
      flight.wrote(write.done(result.metadata.resourceVersion))
    } catch (error) {
      write.failed()
      throw error
    }
  }

  return {
    annotate: (pod: KubeObject, annotations: Readonly<Record<string, string>>, flight: Flight): Promise<void> =>
      send(pod, { type: 'merge', body: { metadata: { annotations, uid: pod.metadata.uid } } }, flight),

    /**
     * Writes the condition `type` of a Pod by a verdict, which is given the milliseconds for which its containers have
     * been ready. Once it is True it stays so, and nobody is asked any more. Gives the milliseconds until the next look.
     */
    openGate: async (
      pod: KubeObject,
      type: string,
      verdict: (waited: number) => GateVerdict,
      flight: Flight,
    ): Promise<number | undefined> => {
      const conditions = z.safeParse(schema, pod['status']).data?.conditions ?? []
      const present = conditions.find((one) => one.type === type)
      if (present?.status === 'True') return undefined
      const since = conditions.find((one) => one.type === 'ContainersReady' && one.status === 'True')
      const now = clock.date()
      const waited = since === undefined ? 0 : now.getTime() - Date.parse(since.lastTransitionTime ?? now.toISOString())
      const { isOpen, reason, message, again } = verdict(waited)
      const status = isOpen ? 'True' : 'False'
      if (present?.status !== status || present.reason !== reason || present.message !== message) {
        const lastTransitionTime = present?.status === status ? present.lastTransitionTime : now.toISOString()
        const condition = { type, status, reason, message, lastTransitionTime }
        const { name, namespace, uid } = pod.metadata
        // Kubelet and others have conditions of their own in the list.
        const body = {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, namespace, uid },
          status: { conditions: [condition] },
        }
        await send(pod, { type: 'apply', subresource: 'status', body }, flight)
      }
      // The time runs only once the containers are ready, and that is an event.
      return since === undefined ? undefined : again
    },
  }
}
