import { expect, it } from 'vitest'
import { infoMetric, renderMetrics } from '../../lib/metrics.ts'

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

it('writes each set of labels once, and at most 100 of them', () => {
  const all = Array.from({ length: 300 }, (_, index) => ({ entry: String(index % 150) }))
  const { samples } = infoMetric('a_info', 'What.', [...all.slice(0, 2), ...all])
  expect(samples.slice(0, 3).map(({ labels }) => labels)).toEqual([{ entry: '0' }, { entry: '1' }, { entry: '2' }])
  expect(samples).toHaveLength(100)
})
