import type { Section } from './section.ts'
import { median } from './stats.ts'

type Curve = {
  readonly name: string
  readonly side: 'ours' | 'other'
  readonly dashed: boolean
  /** Numbers of services, and the medians measured with them. */
  readonly points: readonly (readonly [number, number])[]
}

/** The curves of both sides; those of a second series are dashed. Values that are not positive are left out. */
export function curvesOf({ rows, against }: Pick<Section, 'rows' | 'against'>): Curve[] {
  const names = [...new Set(rows.flatMap(({ point }) => point?.curve ?? []))]
  const points = (name: string, side: Curve['side']): Curve['points'] =>
    rows.flatMap((row): Curve['points'] => {
      const value = median(row[side])
      return row.point?.curve === name && value > 0 ? [[row.point.services, value]] : []
    })
  return names
    .flatMap((name, at) =>
      (['ours', 'other'] as const).map((side) => ({
        name: `${side === 'ours' ? 'ours' : against}${name === '' ? '' : `, ${name}`}`,
        side,
        dashed: at > 0,
        points: points(name, side),
      })),
    )
    .filter(({ points: some }) => some.length > 0)
}

const size = { width: 720, height: 360 }
/** The ends of the axes. */
const area = { left: 70, right: 560, top: 40, bottom: 310 }
// Distinguishable by hue and brightness, on white and on black.
const colours = { ours: '#0f8a6c', other: '#d9622b' } as const

/** The rows of a section that have a point, by the number of services, as an SVG image; both axes are logarithmic. */
export function renderChart(section: Section): string {
  const unit = section.rows.find(({ point }) => point !== undefined)?.unit ?? ''
  const curves = curvesOf(section)
  const all = curves.flatMap(({ points }) => points)
  const across = scale(
    all.map(([x]) => x),
    area.left,
    area.right,
  )
  const up = scale(
    all.map(([, y]) => y),
    area.bottom,
    area.top,
  )
  const text = (x: number, y: number, anchor: string, what: string): string =>
    `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${what}</text>`
  const line = (d: string, style: string): string => `<path d="${d}" fill="none" ${style}/>`
  const grid = 'stroke="#8884"'
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="12" fill="#777">`,
    text(area.left, 22, 'start', `${section.title}, ${unit}`),
    text((area.left + area.right) / 2, size.height - 8, 'middle', 'services'),
    ...across.ticks.flatMap((x) => [
      line(`M${across.at(x)} ${area.top}V${area.bottom}`, grid),
      text(across.at(x), area.bottom + 18, 'middle', x.toLocaleString('en')),
    ]),
    ...up.ticks.flatMap((y) => [
      line(`M${area.left} ${up.at(y)}H${area.right}`, grid),
      text(area.left - 8, up.at(y) + 4, 'end', y.toLocaleString('en')),
    ]),
    ...curves.flatMap(({ points, side, dashed, name }, at) => {
      const stroke = `stroke="${colours[side]}" stroke-width="2"${dashed ? ' stroke-dasharray="5 4"' : ''}`
      const legend = area.top + 10 + 22 * at
      return [
        line(`M${points.map(([x, y]) => `${across.at(x)} ${up.at(y)}`).join('L')}`, stroke),
        ...points.map(([x, y]) => `<circle cx="${across.at(x)}" cy="${up.at(y)}" r="3" fill="${colours[side]}"/>`),
        line(`M${area.right + 16} ${legend}h24`, stroke),
        text(area.right + 48, legend + 4, 'start', name),
      ]
    }),
    '</svg>',
    '',
  ].join('\n')
}

/** Scales values between two ends, both at whole decades. */
function scale(values: readonly number[], from: number, to: number) {
  const [first, last] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))]
  const decades = Math.max(1, last - first)
  return {
    at: (value: number): number => round(from + ((Math.log10(value) - first) / decades) * (to - from)),
    ticks: Array.from({ length: decades + 1 }, (_, n) => 10 ** (first + n)),
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
