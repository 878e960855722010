import type { Answer } from './http-server.ts'

/** One metric with all its samples, in Prometheus' text format. */
export type Metric = {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** One sentence, for people. */
  readonly help: string
  readonly samples: readonly Sample[]
}

export type Sample = {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
  /** Which part of a histogram it is; appended to the name. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
}

/** The answer to a scrape, with what `renderMetrics` gives. */
export const metricsAnswer = (text: string): Answer => ({
  status: 200,
  body: text,
  headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
})

/** Metrics in Prometheus' text format, one sample per line; a metric without samples is left out. */
export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) => {
      const lines = samples.map(
        ({ labels, value, suffix = '' }) => `${name}${suffix}${renderLabels(labels)} ${value}\n`,
      )
      return `# HELP ${name} ${escape(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`
    })
    .join('')
}

/** Limit for samples whose labels contain texts. */
const mostInfos = 100

/** An info metric: the value 1 for each different label set in `all`, up to 100. */
export function infoMetric(name: string, help: string, all: readonly NonNullable<Sample['labels']>[]): Metric {
  const different = new Map(all.map((labels) => [JSON.stringify(labels), labels]))
  const samples = [...different.values()].slice(0, mostInfos).map((labels) => ({ labels, value: 1 }))
  return { name, type: 'gauge', help, samples }
}

function renderLabels(labels: Sample['labels'] = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value).replaceAll('"', '\\"')}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escape = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
