import type { ControlEvent } from '../control-types.ts'
import type { KubeObject } from './kubectl.ts'

/** Something that happened in a bed. */
export type LabEvent = {
  /** In ISO 8601. */
  readonly time: string
  readonly from: 'cluster' | 'tailnet'
  /** The object, such as `default/pod/echo` or a node of the tailnet. */
  readonly about: string
  readonly what: string
}

type EventObject = KubeObject & {
  readonly eventTime?: string | null
  readonly firstTimestamp?: string | null
  readonly lastTimestamp?: string | null
  readonly count?: number
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
  readonly reason?: string
  readonly message?: string
  readonly involvedObject?: { readonly kind?: string; readonly namespace?: string; readonly name?: string }
}

/** An event of Kubernetes, at the last time that it happened. */
export function clusterEvent(event: EventObject): LabEvent {
  const { kind = '', namespace, name = '' } = event.involvedObject ?? {}
  const count = event.series?.count ?? event.count ?? 1
  const time = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp
  return {
    time: new Date(time ?? String(event.metadata['creationTimestamp'])).toISOString(),
    from: 'cluster',
    about: [namespace, kind.toLowerCase(), name].filter((part) => part !== undefined).join('/'),
    what: `${event.reason ?? ''}: ${(event.message ?? '').trim()}${count > 1 ? ` (${count} times)` : ''}`,
  }
}

/** An event of the control server. */
export function tailnetEvent({ time, node, kind, message }: ControlEvent): LabEvent {
  return { time: new Date(time).toISOString(), from: 'tailnet', about: node ?? '-', what: `${kind}: ${message}` }
}

/** Events in the order in which they happened. */
export function inOrder(events: readonly LabEvent[]): LabEvent[] {
  return events.toSorted((one, other) => Date.parse(one.time) - Date.parse(other.time))
}
