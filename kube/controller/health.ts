import type { Metric, Sample } from '../../lib/metrics.ts'
import type { Controller } from './controller.ts'
import type { Source } from './reflect.ts'

/** Why the process should be restarted, for `/livez`; undefined if it is well. */
export function deafness(sources: readonly Source[]): string | undefined {
  const deaf = sources.filter(({ isDeaf }) => isDeaf())
  if (deaf.length === 0) return undefined
  return deaf.map(({ name, silence }) => `nothing heard of ${name} for ${Math.round(silence() / 1000)} s`).join('; ')
}

/** Metrics of all sources and controllers; those of their queues are named as Kubernetes names its own. */
export function controllerMetrics(sources: readonly Source[], controllers: readonly Controller[]): Metric[] {
  const ofSources = (name: string, type: Metric['type'], help: string, value: (source: Source) => number): Metric => ({
    name: `culvert_source_${name}`,
    type,
    help,
    samples: sources.map((source) => ({ labels: { source: source.name }, value: value(source) })),
  })
  const all = controllers.map(({ name, counts, measures }) => ({ name, ...counts(), ...measures() }))
  type One = (typeof all)[number]
  const each = (
    name: string,
    type: Metric['type'],
    help: string,
    samples: (one: One) => readonly Sample[],
  ): Metric => ({
    name,
    type,
    help,
    samples: all.flatMap(samples),
  })
  const ofQueues = (name: string, type: 'counter' | 'gauge', help: string, value: (one: One) => number): Metric =>
    each(`workqueue_${name}`, type, help, (one) => [{ labels: { name: one.name }, value: value(one) }])
  return [
    ofSources(
      'silence_seconds',
      'gauge',
      'Time since the last event, bookmark or list.',
      (one) => one.silence() / 1000,
    ),
    ofSources('lists_total', 'counter', 'Complete lists of all objects.', (one) => one.counts().lists),
    ofSources('watches_total', 'counter', 'Attempts to watch.', (one) => one.counts().watches),
    ofSources('missed_total', 'counter', 'Changes that a list showed and no watch had.', (one) => one.counts().missed),
    ofQueues('depth', 'gauge', 'Keys that wait to run.', ({ waiting }) => waiting),
    ofQueues('adds_total', 'counter', 'Keys that were added.', ({ adds }) => adds),
    ofQueues('retries_total', 'counter', 'Keys that are to run again after a failure.', ({ retries }) => retries),
    ofQueues('unfinished_work_seconds', 'gauge', 'How long all that runs has run.', ({ unfinished }) => unfinished),
    ofQueues(
      'longest_running_processor_seconds',
      'gauge',
      'How long that has run which runs the longest.',
      ({ longest }) => longest,
    ),
    each('workqueue_queue_duration_seconds', 'histogram', 'How long keys were due before they ran.', (one) =>
      one.waited.samples({ name: one.name }),
    ),
    each('workqueue_work_duration_seconds', 'histogram', 'How long runs took.', (one) =>
      one.worked.samples({ name: one.name }),
    ),
    each('culvert_reconcile_duration_seconds', 'histogram', 'How long runs took, by result.', (one) => one.durations),
    each(
      'culvert_reconcile_errors_total',
      'counter',
      'Runs that failed or were refused, by reason.',
      (one) => one.errors,
    ),
    each('culvert_reconcile_running', 'gauge', 'Keys that run.', ({ name, running }) => [
      { labels: { controller: name }, value: running },
    ]),
    each('culvert_reconcile_failing', 'gauge', 'Keys whose last run failed.', ({ name, failing }) => [
      { labels: { controller: name }, value: failing },
    ]),
  ]
}
