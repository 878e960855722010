import { expect, it } from 'vitest'
import { histogram } from '../../lib/histogram.ts'
import { infoMetric, renderMetrics } from '../../lib/metrics.ts'
import { tally } from '../../lib/tally.ts'

it('writes the Prometheus text format', () => {
  const text = renderMetrics([
    { name: 'a_total', type: 'counter', help: 'How often.', samples: [{ value: 3 }] },
    { name: 'none', type: 'gauge', help: 'Nothing yet.', samples: [] },
    {
      name: 'b',
      type: 'gauge',
      help: 'Back\\slash and\nbreak.',
      samples: [
        { labels: { x: 'a "b"\\c\nd', y: '2' }, value: 0.5 },
        { labels: { x: '' }, value: 1764000000.123 },
      ],
    },
  ])
  expect(text).toBe(`# HELP a_total How often.
# TYPE a_total counter
a_total 3
# HELP b Back\\\\slash and\\nbreak.
# TYPE b gauge
b{x="a \\"b\\"\\\\c\\nd",y="2"} 0.5
b{x=""} 1764000000.123
`)
})

it('writes histograms, whose buckets have everything up to their bound', () => {
  const one = histogram([0.1, 1, 5])
  for (const value of [0.05, 0.1, 0.5, 7]) one.observe(value)
  const text = renderMetrics([
    { name: 'a_seconds', type: 'histogram', help: 'How long.', samples: one.samples({ x: 'y' }) },
  ])
  expect(text).toBe(`# HELP a_seconds How long.
# TYPE a_seconds histogram
a_seconds_bucket{x="y",le="0.1"} 2
a_seconds_bucket{x="y",le="1"} 3
a_seconds_bucket{x="y",le="5"} 3
a_seconds_bucket{x="y",le="+Inf"} 4
a_seconds_sum{x="y"} 7.65
a_seconds_count{x="y"} 4
`)
})

it('counts by labels', () => {
  const counts = tally('verb', 'code')
  counts.start('get', '500')
  counts.start('get', '200')
  for (const code of ['200', '409', '200']) counts.add('get', code)
  expect(counts.samples()).toEqual([
    { labels: { verb: 'get', code: '500' }, value: 0 },
    { labels: { verb: 'get', code: '200' }, value: 2 },
    { labels: { verb: 'get', code: '409' }, value: 1 },
  ])
})

it('writes each set of labels once, and at most 100 of them', () => {
  const all = Array.from({ length: 300 }, (_, index) => ({ entry: String(index % 150) }))
  const { samples } = infoMetric('a_info', 'What.', [...all.slice(0, 2), ...all])
  expect(samples.slice(0, 3).map(({ labels }) => labels)).toEqual([{ entry: '0' }, { entry: '1' }, { entry: '2' }])
  expect(samples).toHaveLength(100)
})
