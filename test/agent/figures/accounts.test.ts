import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Accounts,
  isStale,
  mostNamed,
  noAccounts,
  type Owner,
  shown,
  withReading,
} from '../../../agent/figures/accounts.ts'
import { type Counts, noCounts, type Reading } from '../../../netfilter/traffic.ts'

const egress = (service: string): Owner => ({ kind: 'egress', service })
const owners = (of: Readonly<Record<string, string>>) =>
  new Map(Object.entries(of).map(([place, service]) => [place, egress(service)] as const))
const reading = (bytes: Readonly<Record<string, number>>): Reading =>
  new Map(Object.entries(bytes).map(([place, toBytes]) => [place, { ...noCounts, toBytes }] as const))
/** A reading, and the owners of places at that time. */
type Step = readonly [Readonly<Record<string, number>>, Readonly<Record<string, string>>]
const after = (steps: readonly Step[]) =>
  steps.reduce((accounts, [read, of]) => withReading(accounts, reading(read), owners(of)), noAccounts)
const bytes = (accounts: Accounts) =>
  Object.fromEntries(shown(accounts).map(({ service, counts }) => [service, counts.toBytes]))

describe('the account of a service', () => {
  it.each<[string, readonly Step[], Record<string, number>]>([
    ['is zero before it has traffic', [[{}, { a: 'db' }]], { db: 0 }],
    ['has all that was counted first', [[{ a: 5 }, { a: 'db' }]], { db: 5 }],
    [
      'sums all places of the service',
      [
        [
          { a: 5, b: 7 },
          { a: 'db', b: 'db', c: 'db' },
        ],
        [
          { a: 6, b: 7, c: 1 },
          { a: 'db', b: 'db', c: 'db' },
        ],
      ],
      { db: 14 },
    ],
    [
      'does not shrink when one of its places goes',
      [
        [
          { a: 5, b: 7 },
          { a: 'db', b: 'db' },
        ],
        [{ b: 8 }, { b: 'db' }],
      ],
      { db: 13 },
    ],
    [
      'grows by all that counters show which have begun again',
      [
        [{ a: 5 }, { a: 'db' }],
        [{ a: 2 }, { a: 'db' }],
      ],
      { db: 7 },
    ],
    [
      'has nothing of another service that had its place before',
      [
        [{ a: 5 }, { a: 'db' }],
        [{ a: 6 }, { a: 'web' }],
      ],
      { web: 1 },
    ],
    [
      'has nothing of the time in which its place was nobody’s',
      [
        [{ a: 5 }, { a: 'db' }],
        [{ a: 9 }, {}],
        [{ a: 9 }, { a: 'db' }],
      ],
      { db: 0 },
    ],
    ['has nothing of a place that is nobody’s', [[{ a: 5, x: 9 }, { a: 'db' }]], { db: 5 }],
  ])('%s', (_what, steps, expected) => {
    expect(bytes(after(steps))).toEqual(expected)
  })

  it('has all that is counted, value by value', () => {
    const counts: Counts = { toBytes: 1, toPackets: 2, fromBytes: 3, fromPackets: 4, connections: 5, refused: 6 }
    const accounts = withReading(noAccounts, new Map([['a', counts]]), owners({ a: 'db' }))
    expect(shown(accounts)).toMatchObject([{ kind: 'egress', service: 'db', counts }])
  })
})

describe('of more services than are named', () => {
  const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `s${from + index}`)
  const all = (services: readonly string[]) => Object.fromEntries(services.map((name) => [`at ${name}`, name]))
  const each = (services: readonly string[], value: number) =>
    Object.fromEntries(services.map((name) => [`at ${name}`, value]))

  it('the others are summed, and the status has all', () => {
    const services = names(mostNamed + 3)
    const accounts = after([[each(services, 2), all(services)]])
    expect(shown(accounts)).toHaveLength(mostNamed + 1)
    expect(bytes(accounts)).toMatchObject({ s0: 2, '(others)': 6 })
    expect(accounts.services.size).toBe(mostNamed + 3)
  })

  it('the sum keeps what those had that are gone, and a free place goes to a new one alone', () => {
    const services = names(mostNamed + 2)
    const left = services.slice(1, -1)
    const added = names(1, 900)
    const accounts = after([
      [each(services, 2), all(services)],
      [each([...left, ...added], 3), all([...left, ...added])],
    ])
    // s201 is gone, s200 stays among the others.
    expect(bytes(accounts)).toMatchObject({ s1: 3, s900: 3, '(others)': 2 + 3 })
    expect(bytes(accounts)).not.toHaveProperty('s0')
    expect(bytes(accounts)).not.toHaveProperty('s200')
  })
})

it('no series shrinks as long as its service exists, whatever happens', () => {
  const place = fc.constantFrom('a', 'b', 'c', 'd')
  const service = fc.constantFrom('x', 'y', 'z')
  const step = fc.tuple(fc.dictionary(place, fc.nat(9)), fc.dictionary(place, service))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let accounts = noAccounts
      for (const [read, of] of steps) {
        const before = bytes(accounts)
        accounts = withReading(accounts, reading(read), owners(of))
        for (const [name, value] of Object.entries(bytes(accounts)))
          expect(value).toBeGreaterThanOrEqual(before[name] ?? 0)
      }
    }),
  )
})

it('counting should begin anew when most places are nobody’s', () => {
  const read = reading(Object.fromEntries(Array.from({ length: 1003 }, (_, index) => [`p${index}`, 1])))
  expect(isStale(read, owners({ a: 'db' }))).toBe(true)
  expect(isStale(read, owners({ a: 'db', b: 'db' }))).toBe(false)
})
