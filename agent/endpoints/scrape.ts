import type { Clock } from '../../lib/clock.ts'
import type { Answer } from '../../lib/http-server.ts'
import { metricsAnswer, renderMetrics } from '../../lib/metrics.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { ReadFigures } from '../figures/figures.ts'
import { metrics } from '../status/metrics.ts'
import type { Observed } from './probes.ts'

type Sources = {
  readonly observed: Pick<Observed, 'world' | 'since'>
  readonly version: string
  /** In seconds since 1970. */
  readonly startTime: number
  readonly api: LocalApi
  readonly figures: ReadFigures
  readonly clock: Clock
  /** Milliseconds that tailscaled may take for its own metrics. */
  readonly timeoutMs: number
}

/**
 * `/metrics`: the agent's own metrics, followed by tailscaled's, also before the login. None of the scraper's headers
 * are passed on: LocalAPI refuses some.
 */
export function scrape(sources: Sources): () => Promise<Answer> {
  const { observed, version, startTime, api, figures, clock, timeoutMs } = sources
  const { world, since } = observed
  // Also while the agent stops. `tailscaled_up` shows that tailscaled does not answer; checks and status say why.
  const read = (): Promise<string | undefined> =>
    api.get('usermetrics', clock.timeout(timeoutMs)).catch(() => undefined)
  let reading: Promise<string | undefined> | undefined
  return async () => {
    // Concurrent scrapes share one request, so that a hanging daemon costs no more than that.
    reading ??= read().finally(() => (reading = undefined))
    const [daemon, shown] = await Promise.all([reading, figures()])
    const tailscaledUp = daemon !== undefined
    const circumstances = { version, startTime, tailscaledUp, since, now: clock.date(), figures: shown }
    const own = renderMetrics(metrics(world(), circumstances))
    return metricsAnswer(`${own}${daemon ?? ''}`.trimEnd())
  }
}
