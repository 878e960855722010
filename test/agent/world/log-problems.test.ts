import { afterEach, beforeEach, expect, it } from 'vitest'
import { logProblems } from '../../../agent/world/log-problems.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

let lines: string[]
let clock: VirtualClock
let stop: AbortController
let tell: (problems: readonly string[]) => void

beforeEach(() => {
  clock = new VirtualClock()
  lines = []
  stop = new AbortController()
  tell = logProblems('the file', { log: (line) => lines.push(line), clock, signal: stop.signal })
})
afterEach(() => {
  stop.abort()
  expect(clock.pending).toBe(0)
})

/** The lines since the last look. */
const news = (): string[] => lines.splice(0)

it('logs what is new, and when all is good again', async () => {
  tell([])
  expect(news()).toEqual([])
  tell(['a'])
  expect(news()).toEqual(['warning: a'])
  tell(['a', 'b'])
  expect(news()).toEqual(['warning: b'])
  tell(['b'])
  expect(news()).toEqual([])
  tell([])
  expect(news()).toEqual(['the file is good again'])
  tell([])
  await clock.advance(600_000)
  expect(news()).toEqual([])
})

it('logs some of many, and how many more there are', async () => {
  const many = Array.from({ length: 1000 }, (_, index) => `entry ${index}`)
  tell(many)
  expect(news()).toEqual([...many.slice(0, 10).map((text) => `warning: ${text}`), 'warning: the file: and 990 more'])
  tell([...many, 'another'])
  expect(news()).toEqual(['warning: another'])
  tell(many.slice(500))
  await clock.advance(600_000)
  expect(news()).toEqual([])
})

it('logs a problem that comes and goes once a minute', async () => {
  for (let second = 0; second < 600; second += 1) {
    tell(second % 2 === 0 ? ['a'] : [])
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
  for (let change = 0; change < 20; change += 1) tell(change % 2 === 0 ? ['a'] : [])
  tell(last)
  await clock.advance(60_000)
  expect(lines.at(-1)).toBe(line)
  const said = lines.length
  await clock.advance(600_000)
  expect(lines).toHaveLength(said)
})

it('logs nothing once it is stopped', async () => {
  tell(['a'])
  tell([])
  tell(['a'])
  stop.abort()
  tell(['b'])
  await clock.advance(600_000)
  expect(lines).toEqual(['warning: a', 'the file is good again'])
})
