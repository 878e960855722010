import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectRoot } from '../../lab/paths.ts'
import { alertsIn, type AllSeries, checkRules, expectAnswers, expectOnly, firing } from './promtool.ts'

const file = join(projectRoot, 'charts/culvert/files/agent-alerts.yaml')

const pod = 'namespace="n",pod="a"'
const [ready, connected] = [`culvert_ready{${pod}}`, `culvert_control_connected{${pod}}`]
const check = (name: string) => `culvert_check_state{${pod},check="${name}",state="failing"}`
const keyExpiry = `culvert_node_key_expiry_timestamp_seconds{${pod}}`
const certificate = `culvert_certificate_expiry_timestamp_seconds{${pod},domain="web.lab.ts.net"}`
const refused = (service: string) => `culvert_traffic_refused_total{${pod},kind="ingress",service="${service}"}`
const connections = (service: string) => `culvert_traffic_connections_total{${pod},kind="ingress",service="${service}"}`
const path = (how: string, region = '') =>
  `culvert_peer_path_info{${pod},peer="db.lab.ts.net.",path="${how}",region="${region}"}`
const dropped = `culvert_udp_errors_total{${pod},family="IPv4",reason="receive-buffer"}`
const repairs = `culvert_reconciler_repairs_total{${pod},reconciler="forwarding"}`
const restarts = `culvert_tailscaled_restarts_total{${pod}}`

const day = 86_400
/** A proxy with traffic, of whose connections few are refused. Times count from the first minute on. */
const rest: AllSeries = {
  [ready]: '1x60',
  [connected]: '1x60',
  [check('services')]: '0x60',
  [check('control-server')]: '0x60',
  [keyExpiry]: `${90 * day}x60`,
  [certificate]: `${60 * day}x60`,
  [refused('svc:web')]: '0+1x60',
  [connections('svc:web')]: '0+600x60',
  [refused('(unmapped)')]: '0x60',
  [connections('(unmapped)')]: '0x60',
  [path('direct')]: '1x60',
  [dropped]: '5+0x60',
  [repairs]: '1+0x60',
  [restarts]: '0x60',
}
/** Of a fault, from the tenth minute on. */
const since = (value: number, before = 0): string => `${before}x9 ${value}x50`

it('Prometheus accepts the rules', () => checkRules(file))

it('no alert fires at rest, while a Pod or tailscaled restarts, after a repair, and while a path is being found', async () => {
  await expectAnswers(
    {
      ...rest,
      [ready]: '1x20 0x2 1x36',
      [connected]: '1x20 0x5 1x33',
      [check('services')]: '0x20 1x5 0x33',
      [restarts]: '0x20 1x38',
      [repairs]: '0x20 2x38',
      [path('direct')]: '1x20 _x5 1x32',
      [path('derp', 'fra')]: '_x20 1x5 _x32',
      [dropped]: '0x20 100x38',
      [refused('svc:web')]: '0x20 100x38',
      [refused('(unmapped)')]: '0x20 1x38',
    },
    [5, 22, 27, 40, 58].map((minute) => ({ expr: firing, minute, samples: [] })),
    [file],
  )
})

it.each<[string, AllSeries]>([
  ['CulvertProxyIsNotReady', { ...rest, [ready]: since(0, 1) }],
  // What also fails says why it is not ready.
  ['CulvertProxyIsNotReady', { ...rest, [ready]: since(0, 1), [check('forwarding')]: since(1) }],
  ['CulvertProxyCheckFails', { ...rest, [check('services')]: since(1) }],
  ['CulvertProxyIsDisconnected', { ...rest, [connected]: since(0, 1), [check('control-server')]: since(1) }],
  ['CulvertProxyKeyExpires', { ...rest, [keyExpiry]: `${6 * day}x60` }],
  ['CulvertProxyKeyExpires', { ...rest, [keyExpiry]: '0x60' }],
  ['CulvertProxyCertificateExpires', { ...rest, [certificate]: `${20 * day}x100` }],
  ['CulvertProxyConnectionsAreRefused', { ...rest, [refused('svc:web')]: '0+200x60' }],
  ['CulvertProxyRefusesUnmappedServices', { ...rest, [refused('(unmapped)')]: '0+1x60' }],
  ['CulvertProxyTargetIsOnlyRelayed', { ...rest, [path('direct')]: '1x9', [path('derp', 'fra')]: '_x9 1x50' }],
  ['CulvertProxyDropsDatagrams', { ...rest, [dropped]: '0+100x60' }],
  ['CulvertProxyIsChangedByOthers', { ...rest, [repairs]: '0+1x60' }],
  ['CulvertProxyTailscaledRestarts', { ...rest, [restarts]: '0x20 1x5 2x5 3x30' }],
])('%s fires at its fault, and no other does', (name, series) => expectOnly(name, series, file))

it('every alert has a test of its fault', async () => {
  const own = await readFile(import.meta.filename, 'utf8')
  for (const alert of await alertsIn(file)) expect(own).toContain(`'${alert}'`)
})
