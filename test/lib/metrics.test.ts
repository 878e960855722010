import { expect, it } from 'vitest'
import { renderMetrics } from '../../lib/metrics.ts'

it('metrics are in the text format of Prometheus', () => {
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
