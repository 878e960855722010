import { expect, it } from 'vitest'
import { curvesOf, renderChart } from '../../bench/chart.ts'
import type { Row } from '../../bench/section.ts'

const row = (curve: string, services: number, ours: number[], other: number[] = []): Row => ({
  what: `${curve}, ${services}`,
  unit: 'ms',
  better: 'less',
  ours,
  other,
  point: { curve, services },
})
const section = {
  title: 'Loading',
  against: 'upstream',
  note: '',
  rows: [
    row('TCP', 1, [3, 1, 2], [9]),
    row('TCP', 1000, [10]),
    row('UDP', 1, [0], [5]),
    { ...row('', 1, [1]), point: undefined } as unknown as Row,
  ],
}

it('draws a curve of medians for each side that has values', () => {
  expect(curvesOf(section)).toEqual([
    {
      name: 'ours, TCP',
      side: 'ours',
      dashed: false,
      points: [
        [1, 2],
        [1000, 10],
      ],
    },
    { name: 'upstream, TCP', side: 'other', dashed: false, points: [[1, 9]] },
    { name: 'upstream, UDP', side: 'other', dashed: true, points: [[1, 5]] },
  ])
})

it('places points on a scale of whole decades', () => {
  const image = renderChart(section)
  // From 1 to 1,000 services, and from 1 to 10 ms.
  expect(image).toContain('<circle cx="560" cy="40" r="3"')
  expect(image.match(/<circle/g)).toHaveLength(4)
  expect(image).toContain('>Loading, ms<')
  expect(image).not.toMatch(/NaN|Infinity/)
})
