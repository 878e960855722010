/**
 * Requests about Secrets that the API server counted: how many have ended, how many of them were writes, how many
 * watches are open.
 */
export type SecretRequests = { readonly all: number; readonly writes: number; readonly watches: number }

const reading: ReadonlySet<string | undefined> = new Set(['GET', 'LIST', 'WATCH'])

/** Parses the API server's metrics. A watch is a request that has not ended. */
export function secretRequests(metrics: string): SecretRequests {
  const count = { all: 0, writes: 0, watches: 0 }
  for (const [, metric, text = '', value] of metrics.matchAll(/^(\w+)\{(.*)\} (\S+)$/gm)) {
    const labels = new Map([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, is]) => [name, is]))
    if (labels.get('resource') !== 'secrets') continue
    if (metric === 'apiserver_longrunning_requests') count.watches += Number(value)
    if (metric !== 'apiserver_request_total') continue
    count.all += Number(value)
    if (!reading.has(labels.get('verb'))) count.writes += Number(value)
  }
  return count
}
