import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectRoot } from '../../lab/paths.ts'
import { record, S3Bed } from '../../recorder/s3/s3-bed.ts'
import { S3Server } from '../../recorder/s3/s3-server.ts'
import { expectDashboardShows } from './dashboard.ts'
import { alertsIn, type AllSeries, checkRules, expectAnswers, expectOnly, firing } from './promtool.ts'

const file = join(projectRoot, 'charts/culvert/files/recorder-alerts.yaml')

const pod = 'namespace="n",pod="recorder-0",instance="10.0.0.1:9004"'
const metric = (name: string) => `culvert_recorder_${name}{${pod}}`
const ready = (part: string) => `culvert_recorder_ready{${pod},part="${part}"}`
const failures = (reason: string) => `culvert_recorder_failures_total{${pod},reason="${reason}"}`
const [open, waited, lag] = [metric('open'), metric('unacknowledged_seconds'), metric('s3_lag_seconds')]
const [free, stored, spool] = [metric('free_bytes'), metric('stored_bytes'), metric('spool_bytes')]

/** A recorder with sessions, of which some uploaders have gone. Sizes are in GiB, since only their ratios count. */
const inDirectory: AllSeries = {
  [open]: '3x60',
  [ready('tailscaled')]: '1x60',
  [ready('storage')]: '1x60',
  [failures('storage')]: '0x60',
  [failures('internal')]: '0x60',
  [failures('limit')]: '0x60',
  [failures('gone')]: '0+1x60',
  [waited]: '3x60',
  [stored]: '10x60',
  [free]: '10x60',
}
/** The same with S3, where more is than the spool has room for. */
const rest: AllSeries = {
  ...inDirectory,
  [ready('s3')]: '1x60',
  [metric('spool')]: '1x60',
  [spool]: '1x60',
  [lag]: '5x60',
  [stored]: '1000x60',
}
/** Of a fault, from the tenth minute on. */
const since = (value: number, before = 0): string => `${before}x9 ${value}x50`

it('Prometheus accepts the rules', () => checkRules(file))

it('no alert fires at rest, while the Pod moves, tailscaled restarts or S3 is away for a moment, and after few refusals', async () => {
  await expectAnswers(
    {
      ...rest,
      [open]: '3x20',
      // With another address.
      'culvert_recorder_open{namespace="n",pod="recorder-0",instance="10.0.0.2:9004"}': '_x25 0x33',
      [ready('tailscaled')]: '1x20 0x2 1x36',
      [ready('s3')]: '1x20 0x5 1x33',
      [failures('limit')]: '0x20 3x38',
      [waited]: '3x20 90x3 3x35',
      [lag]: '5x20 60+60x10 5x27',
      [spool]: '1x20 60x3 1x35',
    },
    [5, 22, 27, 40, 58].map((minute) => ({ expr: firing, minute, samples: [] })),
    [file],
  )
})

it('no alert fires at rest without S3, and outside of Kubernetes', async () => {
  const bare = Object.entries(inDirectory).map(([series, values]) => [
    series.replace('namespace="n",pod="recorder-0",', ''),
    values,
  ])
  for (const series of [inDirectory, Object.fromEntries(bare) as AllSeries])
    await expectAnswers(series, [{ expr: firing, minute: 58, samples: [] }], [file])
})

it.each<[string, AllSeries]>([
  ['CulvertRecorderIsAbsent', { ...rest, [open]: '3x9' }],
  // Another one answers.
  ['CulvertRecorderIsAbsent', { ...rest, [open]: '3x9', 'culvert_recorder_open{namespace="n",pod="b"}': '3x60' }],
  ['CulvertRecorderIsNotReady', { ...rest, [ready('tailscaled')]: since(0, 1) }],
  ['CulvertRecorderIsNotReady', { ...inDirectory, [ready('storage')]: since(0, 1) }],
  ['CulvertRecorderLosesSessions', { ...rest, [failures('storage')]: '0x39 1x20' }],
  ['CulvertRecorderLosesSessions', { ...rest, [failures('internal')]: '0x39 1x20' }],
  ['CulvertRecorderRefusesUploads', { ...rest, [failures('limit')]: '0+1x60' }],
  ['CulvertRecorderS3Refuses', { ...rest, [ready('s3')]: since(0, 1), [lag]: '5x9 60+60x50' }],
  ['CulvertRecorderS3Lags', { ...rest, [lag]: '5x9 60+60x50' }],
  ['CulvertRecorderSpoolFills', { ...rest, [spool]: since(41, 1) }],
  ['CulvertRecorderIsNearlyFull', { ...inDirectory, [free]: since(1, 10) }],
  ['CulvertRecorderStoresSlowly', { ...rest, [waited]: '3x9 60+60x50' }],
])('%s fires at its fault, and no other does', (name, series) => expectOnly(name, series, file))

it('every alert has a test of its fault', async () => {
  const own = await readFile(import.meta.filename, 'utf8')
  for (const alert of await alertsIn(file)) expect(own).toContain(`'${alert}'`)
})

it('a recorder has all the metrics that the rules ask for, and those with labels before anything has failed', async () => {
  const rules = await readFile(file, 'utf8')
  await using server = await S3Server.start()
  await using bed = await S3Bed.start(server)
  const samples = (await bed.recorder.probe('/metrics')).body.split('\n')
  const names = [...new Set(rules.match(/culvert_recorder_\w+/g))]
  const reasons = [...rules.matchAll(/reason=~"([^"]+)"/g)].flatMap(([, some = '']) => some.split('|'))
  const wanted = [
    ...names.filter((name) => !/_(total|ready)$/.test(name)).map((name) => `${name} `),
    ...['tailscaled', 'storage', 's3'].map((part) => `culvert_recorder_ready{part="${part}"} 1`),
    ...reasons.map((reason) => `culvert_recorder_failures_total{reason="${reason}"} 0`),
  ]
  expect(reasons).toContain('storage')
  expect(wanted.filter((one) => !samples.some((sample) => sample.startsWith(one)))).toEqual([])
})

it('each query of the dashboard finds metrics of a recorder', async () => {
  await using server = await S3Server.start()
  await using bed = await S3Bed.start(server)
  await record(bed.recorder)
  await bed.recorder.settled()
  bed.gateway.fail('away')
  await record(bed.recorder)
  await bed.failed('unreachable')
  const { body } = await bed.recorder.probe('/metrics')
  await expectDashboardShows(body.split('\n'), 'recorder-dashboard.json')
})
