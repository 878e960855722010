import { listen, type Routes, serve } from './http-server.ts'
import type { Log } from './log.ts'
import { type Metric, metricsAnswer, renderMetrics } from './metrics.ts'
import { processEvents } from './process-events.ts'

/** What a program says of itself. */
export type State = {
  /** Why it cannot serve clients; none: it can. */
  readonly notReady: () => readonly string[]
  readonly metrics: () => readonly Metric[]
}

/** For kubelet's probes, and for Prometheus. */
export function serveHealth({ notReady, metrics }: State, port: number, log: Log) {
  const routes: Routes = {
    '/livez': () => ({ status: 200, body: 'ok' }),
    '/readyz': () => {
      const problems = notReady()
      return problems.length === 0 ? { status: 200, body: 'ok' } : { status: 503, body: problems.join('\n') }
    },
    '/metrics': () => metricsAnswer(renderMetrics(metrics())),
  }
  return listen(serve(routes), { port }, { failed: (error) => log(processEvents.notAccepted({ problem: error })) })
}
