import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectRoot } from '../../lab/paths.ts'
import { alertsIn, type AllSeries, checkRules, expectAnswers, expectOnly, firing } from './promtool.ts'

const file = join(projectRoot, 'charts/culvert/files/alerts.yaml')

const leader = (pod: string, lease = 'culvert-operator') =>
  `leader_election_master_status{name="${lease}",pod="${pod}"}`
const second = 'culvert-operator-1'
const request = (api: string, code: string) =>
  `culvert_api_requests_total{api="${api}",verb="get",code="${code}",pod="a"}`
const source = 'culvert_source_silence_seconds{source="pods",pod="a"}'
const failing = 'culvert_reconcile_failing{controller="connectors",pod="a"}'
const longest = 'workqueue_longest_running_processor_seconds{name="connectors",pod="a"}'
const depth = 'workqueue_depth{name="connectors",pod="a"}'

/** Two replicas that have nothing to do. */
const rest: AllSeries = {
  [leader('a')]: '1x60',
  [leader('b')]: '0x60',
  [source]: '60x60',
  [failing]: '0x60',
  [longest]: '0x60',
  [depth]: '0x60',
  [request('tailscale', '200')]: '0+1x60',
  [request('kubernetes', '200')]: '0+10x60',
}
/** Of a fault, from the tenth minute on. */
const since = (value: number): string => `0x9 ${value}x50`
const without = (name: string): AllSeries =>
  Object.fromEntries(Object.entries(rest).filter(([series]) => !series.startsWith(name)))

it('Prometheus accepts the rules', () => checkRules(file))

it('no alert fires at rest, while a replica restarts, after one failed request, and while a queue is long for a moment', async () => {
  await expectAnswers(
    {
      ...rest,
      [leader('a')]: '1x20 0x1 1x38',
      [request('tailscale', '500')]: '0x20 1x40',
      [request('kubernetes', '409')]: '0+2x60',
      [depth]: '0x20 1000x5 0x34',
      [failing]: '0x20 3x5 0x34',
    },
    [5, 22, 27, 40, 58].map((minute) => ({ expr: firing, minute, samples: [] })),
    [file],
  )
})

it.each<[string, AllSeries]>([
  ['CulvertOperatorHasNoLeader', { ...rest, [leader('a')]: since(0) }],
  ['CulvertOperatorHasNoLeader', without('leader_election')],
  ['CulvertOperatorHasNoLeader', { ...rest, [leader('a', second)]: '0x60', [leader('b', second)]: '1x9 0x50' }],
  ['CulvertOperatorHasTwoLeaders', { ...rest, [leader('a', second)]: '1x60', [leader('b', second)]: since(1) }],
  ['CulvertOperatorHasTwoLeaders', { ...rest, [leader('b')]: since(1) }],
  ['CulvertOperatorIsDeaf', { ...rest, [source]: '0+60x60' }],
  ['CulvertObjectsAreFailing', { ...rest, [failing]: since(1) }],
  ['CulvertRunsAreStuck', { ...rest, [longest]: '0+60x60' }],
  ['CulvertQueueGrows', { ...rest, [depth]: since(500) }],
  ['CulvertTailscaleRefusesCredentials', { ...rest, [request('tailscale', '403')]: '0+1x60' }],
  ['CulvertTailscaleApiFails', { ...rest, [request('tailscale', '503')]: '0+2x60' }],
  ['CulvertTailscaleApiFails', { ...rest, [request('tailscale', '<error>')]: '0+2x60' }],
  ['CulvertKubernetesApiFails', { ...rest, [request('kubernetes', '429')]: '0+5x60' }],
])('%s fires at its fault, and no other does', (name, series) => expectOnly(name, series, file))

it('every alert has a test of its fault', async () => {
  const own = await readFile(import.meta.filename, 'utf8')
  for (const alert of await alertsIn(file)) expect(own).toContain(`'${alert}'`)
})
