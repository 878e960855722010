import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Circumstances, metrics } from '../../../agent/status/metrics.ts'
import { forwardingKey } from '../../../agent/forwarding/reconciler.ts'
import type { World } from '../../../agent/world/world.ts'
import { renderMetrics } from '../../../lib/metrics.ts'
import { aWorld } from '../a-world.ts'

const circumstances: Circumstances = {
  version: '1.2.3',
  startTime: 1_764_000_000.5,
  tailscaledUp: true,
  since: () => undefined,
  now: new Date(0),
}
const operations = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8')

/** The samples for a World; each metric has a row in docs/operations.md. */
function samples(world: World, given = circumstances): string[] {
  const lines = renderMetrics(metrics(world, given))
    .split('\n')
    .filter((line) => line.startsWith('culvert_'))
  for (const line of lines) expect(operations).toContain(`\n| \`${/^\w+/.exec(line)?.[0]}\` |`)
  return lines
}

it('has the metrics of a healthy World', () => {
  const since = (check: string) => (check === 'addresses' ? new Date(2500) : undefined)
  const world = aWorld()
  const report = { ...world.reports[forwardingKey.name]!, repairs: 3, failures: 4, verifiedAt: new Date(1250) }
  expect(samples({ ...world, reports: { [forwardingKey.name]: report } }, { ...circumstances, since })).toEqual([
    'culvert_build_info{version="1.2.3"} 1',
    'culvert_start_time_seconds 1764000000.5',
    'culvert_ready 1',
    ...['shutdown', 'tailscaled', 'addresses', 'forwarding'].flatMap((check) => [
      `culvert_check_state{check="${check}",state="ok"} 1`,
      `culvert_check_state{check="${check}",state="waiting"} 0`,
      `culvert_check_state{check="${check}",state="failing"} 0`,
    ]),
    'culvert_check_since_timestamp_seconds{check="addresses"} 2.5',
    'culvert_reconciler_repairs_total{reconciler="forwarding"} 3',
    'culvert_reconciler_failures_total{reconciler="forwarding"} 4',
    'culvert_reconciler_verified_timestamp_seconds{reconciler="forwarding"} 1.25',
    'culvert_tailscaled_up 1',
    'culvert_tailscaled_restarts_total 0',
  ])
})

it('has the metrics of an unhealthy World', () => {
  const world = aWorld({
    daemon: { phase: 'down', restarts: 7, problem: 'killed' },
    stateSecret: { name: 's' },
    reports: { [forwardingKey.name]: { desired: 'guard', repairs: 0, failures: 2, error: 'nft failed' } },
  })
  const lines = samples(world, { ...circumstances, tailscaledUp: false })
  expect(lines).toEqual(
    expect.arrayContaining([
      'culvert_ready 0',
      'culvert_check_state{check="state-secret",state="waiting"} 1',
      'culvert_check_state{check="tailscaled",state="failing"} 1',
      'culvert_check_state{check="forwarding",state="failing"} 1',
      'culvert_reconciler_failures_total{reconciler="forwarding"} 2',
      'culvert_tailscaled_up 0',
      'culvert_tailscaled_restarts_total 7',
    ]),
  )
  expect(lines.filter((line) => line.startsWith('culvert_reconciler_verified_timestamp_seconds'))).toEqual([])
})

it('gives the age of a name’s addresses', () => {
  const destination = {
    addresses: [{ family: 4 as const, text: '10.0.0.9' }],
    left: [],
    refused: [],
    resolved: { as: 'db.test.', at: new Date(1000) },
    nextAt: new Date(31_000),
    failures: 2,
  }
  const env = { TS_USERSPACE: 'false', TS_EXPERIMENTAL_DEST_DNS_NAME: 'db.test' }
  expect(samples(aWorld({ destination }, env)).filter((line) => line.startsWith('culvert_dns'))).toEqual([
    'culvert_dns_addresses{name="db.test"} 1',
    'culvert_dns_resolved_timestamp_seconds{name="db.test"} 1',
    'culvert_dns_next_timestamp_seconds{name="db.test"} 31',
    'culvert_dns_failures_total{name="db.test"} 2',
  ])
  expect(samples(aWorld({}, env))).toContain('culvert_dns_failures_total{name="db.test"} 0')
})

it('names services without traffic, and why', () => {
  const world = aWorld()
  const report = world.reports[forwardingKey.name]!
  const desired = {
    ...(report.desired as object),
    serviceProblems: new Map([['ns-db', ['nothing is called db.lab.ts.net']]]),
  }
  expect(samples({ ...world, reports: { [forwardingKey.name]: { ...report, desired } } })).toContain(
    'culvert_service_problem_info{service="ns-db",reason="nothing is called db.lab.ts.net"} 1',
  )
})

it('gives each metric a type, a help text, and a name that follows Prometheus’ conventions', () => {
  for (const { name, type, help } of metrics(aWorld(), circumstances)) {
    expect(name).toMatch(/^culvert_[a-z]+(_[a-z]+)*$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(help).toMatch(/\.$/)
  }
})

it('has what was counted, how peers are reached, dropped datagrams, and the node’s key', () => {
  const counts = { toBytes: 1, toPackets: 2, fromBytes: 3, fromPackets: 4, connections: 5, refused: 6 }
  const account = { kind: 'egress', service: 'db', named: true, counts } as const
  const accounts = { services: new Map([['egress db', account]]), gone: new Map(), read: new Map() }
  const figures = {
    traffic: { since: new Date(0), problem: undefined, accounts },
    peers: [
      { name: 'a.', path: 'derp', via: 'fra', lastHandshake: new Date(1500) },
      { name: 'b.', path: 'direct', via: '192.0.2.1:41641', lastHandshake: undefined },
    ],
    udpErrors: { 4: { 'receive-buffer': 7, 'send-buffer': 0, checksum: 0 } },
  } as const
  const { tailnet } = aWorld()
  const self = { ...tailnet.self!, keyExpiry: new Date(2500) }
  const lines = samples(aWorld({ tailnet: { ...tailnet, self, online: false } }), { ...circumstances, figures })
  const of = '{kind="egress",service="db"'
  expect(lines.slice(-17, -2)).toEqual([
    'culvert_control_connected 0',
    'culvert_node_key_expiry_timestamp_seconds 2.5',
    'culvert_traffic_counted 1',
    `culvert_traffic_bytes_total${of},direction="to-target"} 1`,
    `culvert_traffic_bytes_total${of},direction="from-target"} 3`,
    `culvert_traffic_packets_total${of},direction="to-target"} 2`,
    `culvert_traffic_packets_total${of},direction="from-target"} 4`,
    `culvert_traffic_connections_total${of}} 5`,
    `culvert_traffic_refused_total${of}} 6`,
    'culvert_peer_path_info{peer="a.",path="derp",region="fra"} 1',
    'culvert_peer_path_info{peer="b.",path="direct",region=""} 1',
    'culvert_peer_last_handshake_timestamp_seconds{peer="a."} 1.5',
    'culvert_udp_errors_total{family="IPv4",reason="receive-buffer"} 7',
    'culvert_udp_errors_total{family="IPv4",reason="send-buffer"} 0',
    'culvert_udp_errors_total{family="IPv4",reason="checksum"} 0',
  ])
})
