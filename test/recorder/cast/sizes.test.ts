import { expect, it } from 'vitest'
import { readSizes } from '../../../recorder/cast/sizes.ts'

it.each([
  ['as asciicast has them', [80, 24], ['100x30', '20x40'], ['100x30', '20x40']],
  ['with the rows first', [80, 24], ['30x100', '40x20'], ['100x30', '20x40']],
  ['with the rows first, after a high window', [40, 60], ['50x30'], ['30x50']],
  ['of a session whose first size is not known', [0, 0], ['100x30'], ['100x30']],
  ['after squares, which say nothing', [80, 24], ['50x50', '30x100'], ['50x50', '100x30']],
  [
    'beside nonsense',
    [80, 24],
    ['', '1', 'x', '-1x2', '30x100'],
    [undefined, undefined, undefined, undefined, '100x30'],
  ],
] as const)('sizes are read %s', (_what, [width, height], texts, sizes) => {
  const found = readSizes({ width, height }, texts).map((size) => size && `${size.columns}x${size.rows}`)
  expect(found).toEqual(sizes)
})
