import type { Metric, Sample } from '../../lib/metrics.ts'
import type { World } from '../world/world.ts'

/** What the agent forwards itself, for the status; docs/operations.md documents the shape. */
export function relayView({ relay: { counts } }: World): Record<string, unknown> | null {
  if (counts === undefined) return null
  const { tcp, udp } = counts
  return {
    connections: tcp.connections,
    acceptedConnections: tcp.begun,
    refusedConnections: tcp.refused,
    sessions: udp.sessions,
    begunSessions: udp.begun,
    evictedSessions: udp.evicted,
    droppedDatagrams: udp.dropped,
    bytes: Object.fromEntries(
      Object.entries({ tcp, udp }).map(([protocol, { toBytes, fromBytes }]) => [protocol, { toBytes, fromBytes }]),
    ),
  }
}

export function relayMetrics({ relay: { counts } }: World): Metric[] {
  if (counts === undefined) return []
  const { tcp, udp } = counts
  const metric = (type: Metric['type'], name: string, help: string, samples: Sample[]): Metric => ({
    name: `culvert_relay_${name}`,
    type,
    help,
    samples,
  })
  return [
    metric('gauge', 'connections', 'Open TCP connections that the agent forwards itself.', [
      { value: tcp.connections },
    ]),
    metric('counter', 'connections_refused_total', 'Connections that no backend accepted, or that were too many.', [
      { value: tcp.refused },
    ]),
    metric('counter', 'begun_total', 'TCP connections and UDP clients that were accepted.', [
      { labels: { protocol: 'tcp' }, value: tcp.begun },
      { labels: { protocol: 'udp' }, value: udp.begun },
    ]),
    metric(
      'counter',
      'bytes_total',
      'Bytes that the agent has passed on itself, without headers.',
      Object.entries({ tcp, udp }).flatMap(([protocol, { toBytes, fromBytes }]) => [
        { labels: { protocol, direction: 'to-target' }, value: toBytes },
        { labels: { protocol, direction: 'from-target' }, value: fromBytes },
      ]),
    ),
    metric('gauge', 'sessions', 'UDP clients that the agent forwards itself.', [{ value: udp.sessions }]),
    metric('counter', 'sessions_evicted_total', 'UDP clients that were given up early, since there were too many.', [
      { value: udp.evicted },
    ]),
    metric(
      'counter',
      'datagrams_dropped_total',
      'Datagrams that were dropped, and why.',
      Object.entries(udp.dropped).map(([reason, value]) => ({ labels: { reason }, value })),
    ),
  ]
}
