import { describe, expect, it } from 'vitest'
import { afterLookup, isGoneBackend, lifetimeMs } from '../../../agent/targets/destination.ts'
import type { Lookup } from '../../../agent/targets/look-up.ts'
import { type Destination, unresolved } from '../../../agent/world/destination.ts'
import type { DnsAnswer } from '../../../lib/resolver.ts'
import { addresses, addressesOf, brokenAnswer, noAddress, withTtl } from './answers.ts'

const found = (a: DnsAnswer, aaaa: DnsAnswer = noAddress): Lookup => ({ as: 'db.test.', answers: { 4: a, 6: aaaa } })
const date = new Date(0)
const after = (before: Destination, lookup: Lookup, now = 0): Destination =>
  afterLookup(before, lookup, { now, date, leaveMs: 100 })
const texts = (list: Destination['addresses']): string[] => list.map(({ text }) => text)
const of = (a: DnsAnswer, aaaa?: DnsAnswer): Destination => after(unresolved, found(a, aaaa))

const both = of(addresses('10.0.0.2', '10.0.0.1'), addresses('fd00::1'))

describe('the addresses', () => {
  it.each<[string, Destination, Lookup, string[], string?]>([
    ['the first answer, sorted', unresolved, found(addresses('10.0.0.2', '10.0.0.1')), ['10.0.0.1', '10.0.0.2']],
    ['of both families', unresolved, found(addresses('10.0.0.1'), addresses('fd00::1')), ['10.0.0.1', 'fd00::1']],
    [
      'IPv4 addresses among those of IPv6',
      unresolved,
      found(addresses('10.0.0.1'), addresses('::ffff:10.0.0.1')),
      ['10.0.0.1'],
    ],
    ['another set', both, found(addresses('10.0.0.3')), ['10.0.0.3']],
    ['of a name that no longer has IPv6', both, found(addresses('10.0.0.1')), ['10.0.0.1']],
    [
      'IPv6 that cannot be resolved',
      both,
      found(addresses('10.0.0.3'), brokenAnswer),
      ['10.0.0.3', 'fd00::1'],
      'AAAA records of db.test. cannot be resolved: 10.96.0.10: no answer',
    ],
    [
      'IPv4 that cannot be resolved',
      both,
      found(brokenAnswer, addresses('fd00::2')),
      ['10.0.0.1', '10.0.0.2', 'fd00::2'],
      'A records of db.test. cannot be resolved: 10.96.0.10: no answer',
    ],
    ['IPv6 that could never be resolved', unresolved, found(addresses('10.0.0.3'), brokenAnswer), ['10.0.0.3']],
    [
      'of a name that is not found any more',
      both,
      { failed: 'db.test. does not exist' },
      ['10.0.0.1', '10.0.0.2', 'fd00::1'],
      'db.test. does not exist',
    ],
    [
      'that cannot be used',
      both,
      found(addresses('127.0.0.1')),
      ['10.0.0.1', '10.0.0.2', 'fd00::1'],
      'db.test. has 127.0.0.1, a loopback address, which is not used',
    ],
    [
      'of a name that was never found',
      unresolved,
      { failed: 'db.test. does not exist' },
      [],
      'db.test. does not exist',
    ],
  ])('%s', (_name, before, lookup, expected, problem) => {
    const now = after(before, lookup)
    expect(texts(now.addresses)).toEqual(expected)
    expect(now.problem).toBe(problem)
    expect(now.failures - before.failures).toBe(problem === undefined ? 0 : 1)
  })

  it('are the same value for the same set in another order', () => {
    const again = after(both, found(addresses('10.0.0.1', '10.0.0.2'), addresses('fd00::1')))
    expect(again.addresses).toBe(both.addresses)
    expect(again.left).toBe(both.left)
  })

  it('are used without unusable ones, which are named', () => {
    const now = of(addresses('10.0.0.1', '0.0.0.0', '224.0.0.1'), addresses('fe80::1', '::1'))
    expect(texts(now.addresses)).toEqual(['10.0.0.1'])
    expect(now.refused).toHaveLength(4)
    expect(after(now, found(addresses('10.0.0.1'))).refused).toEqual([])
  })

  it('clear a problem that is over, and count it', () => {
    const now = after(after(both, { failed: 'no answer' }), found(addresses('10.0.0.1')))
    expect(now).toMatchObject({ failures: 1, resolved: { as: 'db.test.' } })
    expect(now).not.toHaveProperty('problem')
  })
})

describe('connections to an address that is no longer in the answer', () => {
  const [first, second] = addressesOf('10.0.0.1', '10.0.0.2')
  const gone = (destination: Destination | undefined) =>
    [first!, second!].map((address) => isGoneBackend({ destination }, address))

  it('go on for a while', () => {
    const one = found(addresses('10.0.0.1'))
    const left = after(both, one, 1000)
    expect(texts(left.left.map(({ address }) => address))).toEqual(['10.0.0.2', 'fd00::1'])
    expect(gone(left)).toEqual([false, false])
    const later = after(left, one, 1099)
    expect(later.left).toBe(left.left)
    expect(gone(after(later, one, 1100))).toEqual([false, true])
  })

  it('go on if it is back', () => {
    const back = after(after(both, found(addresses('10.0.0.1')), 1000), found(addresses('10.0.0.1', '10.0.0.2')), 1050)
    expect(texts(back.left.map(({ address }) => address))).toEqual(['fd00::1'])
    expect(gone(after(back, found(addresses('10.0.0.1', '10.0.0.2')), 5000))).toEqual([false, false])
  })

  it('go on while the name cannot be resolved', () => {
    const left = after(both, found(addresses('10.0.0.1')), 1000)
    expect(gone(after(left, { failed: 'no answer' }, 9000))).toEqual([false, false])
  })

  it('go on if the name was never resolved, and without a name', () => {
    expect(gone(unresolved)).toEqual([false, false])
    expect(gone(undefined)).toEqual([false, false])
  })
})

it.each<[string, DnsAnswer, DnsAnswer, number]>([
  ['the shortest', withTtl(60, '10.0.0.1'), withTtl(30, 'fd00::1'), 30_000],
  ['one alone', noAddress, withTtl(30, 'fd00::1'), 30_000],
  ['none', withTtl(0, '10.0.0.1'), noAddress, 5000],
  ['a very long one', withTtl(2 ** 31 - 1, '10.0.0.1'), noAddress, 600_000],
])('resolves again after a TTL: %s', (_name, a, aaaa, expected) => {
  expect(lifetimeMs({ as: 'db.test.', answers: { 4: a, 6: aaaa } })).toBe(expected)
})
