import { expect, it } from 'vitest'
import { quote, readable, visible } from '../../lib/quote.ts'

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

it('leaves our own marks in a line, and nothing that controls a terminal', () => {
  expect(readable('it’s – a…\u001b]0;x\u0007\nü')).toBe('it’s – a…\\u001b]0;x\\u0007\\u000a\\u00fc')
})

it('escapes a whole text', () => {
  expect(visible('it’s\r\nso')).toBe('it\\u2019s\\u000d\\u000aso')
})
