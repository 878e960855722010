import { expect, it } from 'vitest'
import { preshutdownView, summary } from '../../../agent/preshutdown/view.ts'
import { aWorld } from '../a-world.ts'

const services = (count: number): Map<string, string> =>
  new Map(Array.from({ length: count }, (_, index) => [`s${index}`, 'it routes here']))

it('names some services, and counts the others', () => {
  expect(summary(new Map([['a', 'it routes here']]))).toBe('a (it routes here)')
  expect(summary(services(5))).toMatch(/^s0 .*s4 \(it routes here\)$/)
  expect(summary(services(1000))).toMatch(/^s0 .*s4 \(it routes here\) and 995 others$/)
})

it('is in the status as plain values', () => {
  expect(preshutdownView(aWorld())).toBeNull()
  const preshutdown = { since: new Date(0), phase: 'asking', waitingFor: services(1) } as const
  expect(preshutdownView(aWorld({ preshutdown }))).toEqual({
    phase: 'asking',
    since: '1970-01-01T00:00:00.000Z',
    waitingFor: { s0: 'it routes here' },
  })
})
