import { expect, it } from 'vitest'
import { some } from '../../lib/some.ts'

it.each<[string[], Parameters<typeof some>[1], string]>([
  [[], undefined, ''],
  [['a'], undefined, 'a'],
  [['a', 'b', 'c'], undefined, 'a; b; c'],
  [['a', 'b', 'c', 'd', 'e'], undefined, 'a; b; c; and 2 more'],
  [['a', 'b', 'c'], { most: 2 }, 'a; b; and 1 more'],
  [['a', 'b'], { separator: ', ' }, 'a, b'],
  [['a', 'b', 'c', 'd'], { separator: ', ' }, 'a, b, c and 1 more'],
  [['a', 'b', 'c'], { most: 1, rest: 'others' }, 'a; and 2 others'],
])('of %j, %j: %s', (texts, options, text) => {
  expect(some(texts, options)).toBe(text)
})
