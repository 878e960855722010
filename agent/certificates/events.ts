import type { KubeClient } from '../../kube/client.ts'
import type { Settings } from '../settings/settings.ts'

/** What is told of this Pod; `reason` is one word, for programs. */
export type PodEvent = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string }
export type PodEvents = (event: PodEvent) => void

/**
 * Tells Kubernetes, where POD_NAME and POD_UID say which Pod this is. What cannot be told is not: the log and the status
 * have it anyway.
 */
export function podEvents(kube: Pick<KubeClient, 'createEvent'>, { pod }: Settings, signal: AbortSignal): PodEvents {
  if (pod.name === '' || pod.uid === '') return () => {}
  return (event) => void kube.createEvent({ ...event, pod }, signal).catch(() => {})
}
