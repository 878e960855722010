import { afterEach, beforeEach, expect, it } from 'vitest'
import { events } from '../../../agent/mounted/log-events.ts'
import { logProblems } from '../../../agent/world/log-problems.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

let lines: string[]
let clock: VirtualClock
let stop: AbortController
let report: (problems: readonly string[]) => void

beforeEach(() => {
  clock = new VirtualClock()
  lines = []
  stop = new AbortController()
  report = logProblems('the file', events.rejected, { log: ({ text }) => lines.push(text), clock, signal: stop.signal })
})
afterEach(() => {
  stop.abort()
  expect(clock.pending).toBe(0)
})

/** The lines since the last look. */
const newLines = (): string[] => lines.splice(0)

it('logs what is new, and when all is good again', async () => {
  report([])
  expect(newLines()).toEqual([])
  report(['a'])
  expect(newLines()).toEqual(['warning: a'])
  report(['a', 'b'])
  expect(newLines()).toEqual(['warning: b'])
  report(['b'])
  expect(newLines()).toEqual([])
  report([])
  expect(newLines()).toEqual(['the file is good again'])
  report([])
  await clock.advance(600_000)
  expect(newLines()).toEqual([])
})

it('logs some of many, and how many more there are', async () => {
  const many = Array.from({ length: 1000 }, (_, index) => `entry ${index}`)
  report(many)
  expect(newLines()).toEqual([
    ...many.slice(0, 10).map((text) => `warning: ${text}`),
    'warning: the file: and 990 more',
  ])
  report([...many, 'another'])
  expect(newLines()).toEqual(['warning: another'])
  report(many.slice(500))
  await clock.advance(600_000)
  expect(newLines()).toEqual([])
})

it('logs a problem that comes and goes once a minute', async () => {
  for (let second = 0; second < 600; second += 1) {
    report(second % 2 === 0 ? ['a'] : [])
    await clock.advance(1000)
  }
  expect(lines.length).toBeLessThanOrEqual(20)
  expect(lines.length).toBeGreaterThanOrEqual(10)
  expect(new Set(lines)).toEqual(new Set(['warning: a', 'the file is good again']))
})

it.each([
  ['it as bad', ['a'], 'warning: a'],
  ['it as good', [], 'the file is good again'],
])('logs in the end %s, if that is how it is', async (_what, last, line) => {
  for (let change = 0; change < 20; change += 1) report(change % 2 === 0 ? ['a'] : [])
  report(last)
  await clock.advance(60_000)
  expect(lines.at(-1)).toBe(line)
  const count = lines.length
  await clock.advance(600_000)
  expect(lines).toHaveLength(count)
})

it('logs nothing once it is stopped', async () => {
  report(['a'])
  report([])
  report(['a'])
  stop.abort()
  report(['b'])
  await clock.advance(600_000)
  expect(lines).toEqual(['warning: a', 'the file is good again'])
})
