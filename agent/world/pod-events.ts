import type { KubeClient } from '../../kube/client.ts'
import type { Settings } from '../settings/settings.ts'

/** An Event about this Pod; `reason` is one word, for programs. */
export type PodEvent = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string }
export type PodEvents = (event: PodEvent) => void

/**
 * Records Events in Kubernetes, if POD_NAME and POD_UID identify this Pod. An Event that cannot be recorded is dropped:
 * log and status have the same information.
 */
export function podEvents(kube: Pick<KubeClient, 'createEvent'>, { pod }: Settings, signal: AbortSignal): PodEvents {
  if (pod.name === '' || pod.uid === '') return () => {}
  return (event) => void kube.createEvent({ ...event, pod }, signal).catch(() => {})
}
