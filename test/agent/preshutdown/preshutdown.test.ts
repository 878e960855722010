import { expect, it } from 'vitest'
import { draining, preshutdownView, type Preshutdown, summary } from '../../../agent/preshutdown/preshutdown.ts'
import { aWorld } from '../a-world.ts'

const services = (count: number): Map<string, string> =>
  new Map(Array.from({ length: count }, (_, index) => [`s${index}`, 'it leads here']))

const worldIn = (phase: Preshutdown['phase'], count = 0) =>
  aWorld({ preshutdown: { since: new Date(0), phase, waitingFor: services(count) } })

it('names some services, and counts the others', () => {
  expect(summary(new Map([['a', 'it leads here']]))).toBe('a (it leads here)')
  expect(summary(services(5))).toMatch(/^s0 .*s4 \(it leads here\)$/)
  expect(summary(services(1000))).toMatch(/^s0 .*s4 \(it leads here\) and 995 others$/)
})

it('says why new connections are not welcome', () => {
  expect(draining(aWorld())).toBeUndefined()
  expect(draining(worldIn('asking'))).toBe('draining')
  expect(draining(worldIn('asking', 1))).toBe('draining: waiting for s0 (it leads here)')
  expect(draining(worldIn('settling'))).toMatch(/^draining: .* other nodes/)
  expect(draining(worldIn('forgetting'))).toMatch(/^draining: .* forget/)
  expect(draining(worldIn('over'))).toMatch(/^drained: .* SIGTERM$/)
})

it('is in the status as plain values', () => {
  expect(preshutdownView(aWorld())).toBeNull()
  expect(preshutdownView(worldIn('asking', 1))).toEqual({
    phase: 'asking',
    since: '1970-01-01T00:00:00.000Z',
    waitingFor: { s0: 'it leads here' },
  })
})
