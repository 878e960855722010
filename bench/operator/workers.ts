import { ApiBed } from '../../test/kube/controller/api-bed.ts'
import type { Bed } from '../../test/lab/bed.ts'
import { Way } from '../../test/lab/way.ts'
import { installOperator, namespace, OperatorProcess } from '../../test/operator/operator-process.ts'
import { joinOf, playAgents } from '../../test/operator/played-agents.ts'
import type { Row, Section } from '../section.ts'
import { apps, noServices, untilReady } from './exposed.ts'

/** How many objects are worked on at once. */
const concurrencies = [1, 4, 16] as const
/** Seconds that each request to Tailscale’s API takes. */
const slow = 0.2

/** Ours, whose every call of Tailscale's API takes `slow` seconds. */
export async function measureWorkers(
  bed: Bed,
  program: string,
  count: number,
  note: (text: string) => void,
): Promise<Section> {
  await installOperator(bed)
  await bed.cluster.apply(apps)
  await using kube = await ApiBed.start(bed)
  await using around = new AsyncDisposableStack()
  around.use(playAgents(kube.direct, { namespace, join: joinOf(bed) }))
  await using way = await Way.open(bed.cluster.argv.slice(0, -1), new URL('http://127.0.0.1:9002'))
  await bed.control.addApiFault({ times: 0, seconds: slow })
  const rows: Row[] = []
  for (const workers of concurrencies) {
    note(String(workers))
    await using running = new AsyncDisposableStack()
    running.use(await OperatorProcess.start(bed, { CULVERT_CONCURRENCY: String(workers) }, program))
    const seconds = await untilReady(bed, kube, count)
    const metrics = await (await fetch(`http://${way.address}/metrics`)).text()
    await noServices(bed)
    const row = (what: string, unit: string, value: number): Row => ({
      what: `${workers} at once: ${what}`,
      unit,
      better: 'less',
      ours: [value],
      other: [],
    })
    rows.push(
      row(`${count} Services, until all are ready`, 's', seconds),
      row('a run, median', 'ms', quantileOf(metrics, 0.5) * 1000),
      row('a run, p99', 'ms', quantileOf(metrics, 0.99) * 1000),
    )
  }
  return {
    title: 'Objects that the operator works on at once',
    against: 'another',
    rows,
    note:
      `CULVERT_CONCURRENCY, 4 by default; each request to Tailscale’s API takes ${slow} s. Agents are played. Times of ` +
      'runs are from the histogram of its metrics, interpolated within its buckets as Prometheus does.',
  }
}

/** A quantile of the times of all runs that did something for a Service, in seconds. */
function quantileOf(metrics: string, share: number): number {
  const line = /^culvert_reconcile_duration_seconds_bucket\{(.*)\} (\d+)$/gm
  const counts = new Map<number, number>()
  for (const [, labels = '', count] of metrics.matchAll(line)) {
    const bound = Number(/le="([^"]+)"/.exec(labels)?.[1]?.replace('+Inf', 'Infinity'))
    counts.set(bound, (counts.get(bound) ?? 0) + Number(count))
  }
  const wanted = share * (counts.get(Infinity) ?? 0)
  let [below, lower] = [0, 0]
  for (const [bound, count] of counts) {
    if (count >= wanted) return lower + ((bound - lower) * (wanted - below)) / Math.max(count - below, 1)
    ;[below, lower] = [count, bound]
  }
  return Number.NaN
}
