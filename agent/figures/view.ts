import { families, familyName } from '../../lib/address.ts'
import type { Metric, Sample } from '../../lib/metrics.ts'
import type { Counts } from '../../netfilter/traffic.ts'
import { type Account, mostNamed, shown } from './accounts.ts'
import type { Figures } from './figures.ts'
import type { UdpErrors } from './udp-errors.ts'

/** For the status; docs/operations.md documents the shape. */
export function figuresView({ traffic, peers, udpErrors = {} }: Figures): Record<string, unknown> {
  return {
    traffic:
      traffic === undefined
        ? null
        : {
            since: traffic.since?.toISOString() ?? null,
            problem: traffic.problem ?? null,
            services: [...traffic.accounts.services.values()].map(({ kind, service, counts }) => ({
              kind,
              service,
              ...counts,
            })),
          },
    peers:
      peers?.map(({ name, path, via, lastHandshake }) => ({
        name,
        path,
        via: via ?? null,
        lastHandshake: lastHandshake?.toISOString() ?? null,
      })) ?? null,
    udpErrors: Object.fromEntries(
      families.flatMap((family) => {
        const errors = udpErrors[family]
        return errors === undefined ? [] : [[familyName(family), errors]]
      }),
    ),
  }
}

export function figuresMetrics({ traffic, peers = [], udpErrors = {} }: Figures): Metric[] {
  const named = peers.slice(0, mostNamed)
  return [
    ...(traffic === undefined ? [] : trafficMetrics(shown(traffic.accounts), traffic.problem === undefined)),
    {
      name: 'culvert_peer_path_info',
      type: 'gauge',
      help: 'How peers behind targets in the tailnet are reached now.',
      samples: named.map(({ name, path, via = '' }) => ({
        labels: { peer: name, path, region: path === 'derp' ? via : '' },
        value: 1,
      })),
    },
    {
      name: 'culvert_peer_last_handshake_timestamp_seconds',
      type: 'gauge',
      help: 'When the node and such a peer last agreed on keys, in seconds since 1970.',
      samples: named.flatMap(({ name, lastHandshake }) =>
        lastHandshake === undefined ? [] : [{ labels: { peer: name }, value: lastHandshake.getTime() / 1000 }],
      ),
    },
    {
      name: 'culvert_udp_errors_total',
      type: 'counter',
      help: 'Datagrams of the Pod, such as those of tunnels, that the kernel dropped, and why.',
      samples: udpSamples(udpErrors),
    },
  ]
}

function trafficMetrics(accounts: readonly Omit<Account, 'named'>[], counted: boolean): Metric[] {
  const samples = (value: (counts: Counts) => number, labels = {}): Sample[] =>
    accounts.map(({ kind, service, counts }) => ({ labels: { kind, service, ...labels }, value: value(counts) }))
  const counter = (name: string, help: string, all: Sample[]): Metric => ({
    name: `culvert_traffic_${name}_total`,
    type: 'counter',
    help,
    samples: all,
  })
  const [to, from] = [{ direction: 'to-target' }, { direction: 'from-target' }]
  return [
    {
      name: 'culvert_traffic_counted',
      type: 'gauge',
      help: 'Whether the traffic through the rules is counted.',
      samples: [{ value: Number(counted) }],
    },
    counter('bytes', 'Bytes of IP packets through the rules.', [
      ...samples(({ toBytes }) => toBytes, to),
      ...samples(({ fromBytes }) => fromBytes, from),
    ]),
    counter('packets', 'Packets through the rules, as the kernel handles them.', [
      ...samples(({ toPackets }) => toPackets, to),
      ...samples(({ fromPackets }) => fromPackets, from),
    ]),
    counter('connections', 'Connections, and flows of other protocols, that have begun.', [
      ...samples(({ connections }) => connections),
    ]),
    counter('refused', 'Answers that refused a connection or datagram.', [...samples(({ refused }) => refused)]),
  ]
}

const udpSamples = (errors: UdpErrors): Sample[] =>
  families.flatMap((family) =>
    Object.entries(errors[family] ?? {}).map(([reason, value]) => ({
      labels: { family: familyName(family), reason },
      value,
    })),
  )
