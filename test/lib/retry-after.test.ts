import { expect, it } from 'vitest'
import { parseRetryAfter } from '../../lib/retry-after.ts'

const now = Date.parse('2026-11-24T12:00:00Z')

it.each([
  ['0', 0],
  ['17', 17_000],
  ['Tue, 24 Nov 2026 12:01:00 GMT', 60_000],
  ['Tue, 24 Nov 2026 11:59:00 GMT', 0],
  ['soon', undefined],
  ['-5', undefined],
  ['', undefined],
  [undefined, undefined],
])('%j', (text, pause) => {
  expect(parseRetryAfter(text, now)).toBe(pause)
})
