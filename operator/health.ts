import type { Shards } from '../kube/controller/election/shards.ts'
import { deafness } from '../kube/controller/health.ts'
import { listen, type Routes, serve } from '../lib/http-server.ts'
import type { Log } from '../lib/log.ts'
import { type Metric, metricsAnswer, renderMetrics } from '../lib/metrics.ts'
import { processEvents } from '../lib/process-events.ts'
import type { Operator } from './compose.ts'

/** For kubelet's probes, and for Prometheus. A replica that stands by is ready when it can take over. */
export function serveHealth(
  { sources }: Operator,
  { source: lease }: Pick<Shards, 'source'>,
  metrics: () => readonly Metric[],
  { port, ending, log }: { readonly port: number; readonly ending: AbortSignal; readonly log: Log },
) {
  const all = () => [...sources(), lease]
  const routes: Routes = {
    '/livez': () => {
      const deaf = deafness(all())
      return deaf === undefined ? { status: 200, body: 'ok' } : { status: 503, body: deaf }
    },
    '/readyz': () => {
      const waits = all().filter(({ isSynced }) => !isSynced())
      if (ending.aborted) return { status: 503, body: 'shutting down' }
      if (waits.length === 0) return { status: 200, body: 'ok' }
      return { status: 503, body: `not listed yet: ${waits.map(({ name }) => name).join(', ')}` }
    },
    '/metrics': () => metricsAnswer(renderMetrics(metrics())),
  }
  return listen(serve(routes), { port }, { failed: (error) => log(processEvents.notAccepted({ problem: error })) })
}
