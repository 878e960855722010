import { expect, it } from 'vitest'
import { quote, visible } from '../../lib/quote.ts'

it.each([
  ['plain text', '"plain text"'],
  ['a "word"\n', '"a \\"word\\"\\n"'],
  ['\u001b[31m', '"\\u001b[31m"'],
  ['\u007f\u0085\u2028\u202e', '"\\u007f\\u0085\\u2028\\u202e"'],
  ['ü', '"\\u00fc"'],
  ['a'.repeat(60), `"${'a'.repeat(60)}"`],
  ['a'.repeat(61), `"${'a'.repeat(60)}"…`],
  [`${'a'.repeat(59)}😀`, `"${'a'.repeat(59)}\\ud83d"…`],
])('quotes %j', (text, quoted) => {
  expect(quote(text)).toBe(quoted)
})

it('escapes a whole text', () => {
  expect(visible('it’s\r\nso')).toBe('it\\u2019s\\u000d\\u000aso')
})
