import type { Metric } from '../../lib/metrics.ts'
import type { Controller } from './controller.ts'
import type { Source } from './reflect.ts'

/** Why the process should be restarted, for `/livez`; undefined if it is well. */
export function deafness(sources: readonly Source[]): string | undefined {
  const deaf = sources.filter(({ isDeaf }) => isDeaf())
  if (deaf.length === 0) return undefined
  return deaf.map(({ name, silence }) => `nothing heard of ${name} for ${Math.round(silence() / 1000)} s`).join('; ')
}

export function controllerMetrics(sources: readonly Source[], controllers: readonly Controller[]): Metric[] {
  const ofSources = (name: string, type: Metric['type'], help: string, value: (source: Source) => number): Metric => ({
    name: `culvert_source_${name}`,
    type,
    help,
    samples: sources.map((source) => ({ labels: { source: source.name }, value: value(source) })),
  })
  const counted = controllers.map(({ name, counts }) => ({ name, ...counts() }))
  const ofControllers = (
    name: string,
    type: Metric['type'],
    help: string,
    value: (one: (typeof counted)[number]) => number,
  ): Metric => ({
    name: `culvert_controller_${name}`,
    type,
    help,
    samples: counted.map((one) => ({ labels: { controller: one.name }, value: value(one) })),
  })
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
    ofControllers('waiting', 'gauge', 'Keys that wait to run.', ({ waiting }) => waiting),
    ofControllers('running', 'gauge', 'Keys that run.', ({ running }) => running),
    ofControllers('failing', 'gauge', 'Keys whose last run failed.', ({ failing }) => failing),
    ofControllers('seconds_total', 'counter', 'Time of all runs.', ({ seconds }) => seconds),
    {
      name: 'culvert_controller_runs_total',
      type: 'counter',
      help: 'Runs by result.',
      samples: counted.flatMap(({ name, results }) =>
        Object.entries(results).map(([result, value]) => ({ labels: { controller: name, result }, value })),
      ),
    },
  ]
}
