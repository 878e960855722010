import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { carryLines, eventOf } from '../../../agent/tailscaled/its-lines.ts'
import type { LogEvent } from '../../../lib/log-event.ts'

it.each([
  ['2026/11/30 09:15:02 magicsock: derp-1 connected', 'info', 'magicsock: derp-1 connected'],
  ['2026/11/30 09:15:02.417000 a line with parts of a second', 'info', 'a line with parts of a second'],
  ['2026/11/30 09:15:02 warning: fakeRouter.Up: not implemented.', 'warn', 'warning: fakeRouter.Up: not implemented.'],
  ['2026/11/30 09:15:02 [unexpected] peer is gone', 'warn', '[unexpected] peer is gone'],
  [
    '2026/11/30 09:15:02 health(warnable=login-state): error: You are logged out.',
    'warn',
    'health(warnable=login-state): error: You are logged out.',
  ],
  ['panic: runtime error: index out of range', 'error', 'panic: runtime error: index out of range'],
  ['goroutine 1 [running]:', 'info', 'goroutine 1 [running]:'],
])('tells %j', (line, level, text) => {
  expect(eventOf(line)).toMatchObject({ name: 'tailscaled.line', level, text, fields: {} })
})

it('reads all lines of all streams, also an unfinished last one, and cuts what is too long', async () => {
  const told: LogEvent[] = []
  const long = 'x'.repeat(100_000)
  await carryLines(
    [Readable.from([Buffer.from('one\ntw'), Buffer.from('o\n\n')]), Readable.from([Buffer.from(`${long}\nlast`)])],
    (event) => told.push(event),
  )
  const texts = told.map(({ text }) => text)
  expect(texts.filter((text) => !text.startsWith('x')).toSorted()).toEqual(['last', 'one', 'two'])
  expect(texts.find((text) => text.startsWith('x'))).toBe('x'.repeat(16 * 1024))
})
