import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { renewalOf } from '../../certs/certificate.ts'
import type { Outcome } from '../../certs/outcome.ts'
import { problem } from '../../certs/problem.ts'
import { afterLoss, minValidity, nextIssueState } from '../../certs/schedule.ts'
import { day, ninetyDays } from './make.ts'

const minute = 60_000
const pace = { first: minute, day }
const now = 1000 * day
const failed: Outcome = { kind: 'failure', problem: problem('dns-challenge', 'x') }
const limited = (retryAfterMs: number): Outcome => ({
  kind: 'failure',
  problem: problem('rate-limit', 'x'),
  retryAfterMs,
})
const transient: Outcome = { kind: 'transient', problem: problem('daemon', 'x') }
const success = (from: number): Outcome => ({ kind: 'success', certificate: ninetyDays(from) })

describe('the next request', () => {
  it.each<[string, Outcome, number, { failures: number; pause: number }]>([
    ['a failure', failed, 0, { failures: 1, pause: minute }],
    ['a second', failed, 1, { failures: 2, pause: 10 * minute }],
    ['a third', failed, 2, { failures: 3, pause: 100 * minute }],
    ['a fourth', failed, 3, { failures: 4, pause: day }],
    ['the hundredth', failed, 99, { failures: 100, pause: day }],
    ['a transient failure', transient, 3, { failures: 3, pause: minute }],
    ['a rate limit with a time', limited(7 * minute), 2, { failures: 3, pause: 7 * minute }],
    ['a rate limit with 1 ms', limited(1), 0, { failures: 1, pause: minute }],
    ['a rate limit with 0 ms', limited(0), 1, { failures: 2, pause: 10 * minute }],
    ['a rate limit of a year', limited(365 * day), 0, { failures: 1, pause: 7 * day }],
    ['a success', success(990), 3, { failures: 0, pause: day }],
    ['a success with renewal due in an hour', success(1000 - 60 + 1 / 24), 0, { failures: 0, pause: day / 24 }],
    ['a success with renewal overdue', success(910), 0, { failures: 0, pause: day / 24 }],
  ])('after %s', (_name, outcome, failures, expected) => {
    const turn = nextIssueState(outcome, { failures, notBefore: 0 }, pace, now, 0)
    expect({ failures: turn.failures, pause: turn.notBefore - now }).toEqual(expected)
    expect(turn.reason).toBe(outcome.kind === 'success' ? undefined : outcome.problem.reason)
  })

  it('is spread by a tenth, and after a failure never earlier', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(
        fc.constantFrom(failed, transient, limited(5 * minute)),
        fc.nat(50),
        random,
        (outcome, failures, share) => {
          const [least, some] = [0, share].map(
            (value) => nextIssueState(outcome, { failures, notBefore: 0 }, pace, now, value).notBefore - now,
          )
          expect(some).toBeGreaterThanOrEqual(least!)
          expect(some).toBeLessThanOrEqual(Math.ceil(least! * 1.1))
        },
      ),
    )
    fc.assert(
      fc.property(random, fc.integer({ min: 900, max: 1000 }), (share, from) => {
        const pause = nextIssueState(success(from), { failures: 0, notBefore: 0 }, pace, now, share).notBefore - now
        expect(pause).toBeLessThanOrEqual(day)
        expect(pause).toBeGreaterThanOrEqual(day / 24)
      }),
    )
  })

  it('after a loss is immediate at first, then after growing pauses', () => {
    const pauses = [0, 1, 2, 3, 4].map((losses) => afterLoss(losses, pace, now, 0).notBefore - now)
    expect(pauses).toEqual([0, 10 * minute, 100 * minute, day, day])
  })
})

describe('renewal', () => {
  it('is due after two thirds of the lifetime, plus up to a thirtieth derived from the certificate', () => {
    expect(renewalOf(ninetyDays(1000, '00:00:00:00:FF')) / day).toBeCloseTo(1060)
    expect(renewalOf(ninetyDays(1000, 'FF:FF:FF:FF:00')) / day).toBeCloseTo(1063)
    expect(renewalOf(ninetyDays(1000, '80:00:00:00:00')) / day).toBeCloseTo(1061.5)
  })

  it('is requested by a minimum validity longer than that of the current certificate', () => {
    expect(minValidity(undefined, now)).toBe(0)
    expect(minValidity(ninetyDays(990), now)).toBe(0)
    expect(minValidity(ninetyDays(939), now)).toBe(29 * day + minute)
    expect(minValidity(ninetyDays(900), now)).toBe(minute)
  })
})
