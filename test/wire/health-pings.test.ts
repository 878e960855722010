import { expect, it } from 'vitest'
import { parseHealthPings } from '../../wire/health-pings.ts'

const parse = (text: string): number => parseHealthPings(Buffer.from(text))

it.each([
  ['4', 4],
  [' 9\n', 9],
  ['\t\r\n0', 0],
  ['007', 7],
  ['1000', 1000],
])('accepts %j', (text, pings) => {
  expect(parse(text)).toBe(pings)
})

it.each(['-1', '1001', '9'.repeat(400), '1.5', '1e2', '0x10', '+3', 'four', '3 4', '٣', '', '\u001b[2J'])(
  'refuses %j',
  (text) => {
    expect(() => parse(text)).toThrow(/^"[ -~]*"…? is no whole number from 0 to 1000$/)
  },
)
