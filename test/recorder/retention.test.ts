import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ages } from '../../recorder/retention.ts'

const hour = 3_600_000
const none = { keepMs: Infinity, maxBytes: Infinity }

describe('what is removed', () => {
  it('nothing without limits', () => {
    const ages = new Ages()
    ages.add(0, 1e12)
    expect(ages.cutoff(none, 1e12)).toBe(-Infinity)
  })

  it('what is older than allowed', () => {
    expect(new Ages().cutoff({ ...none, keepMs: 5 * hour }, 20 * hour)).toBe(15 * hour)
  })

  it('the oldest hours, until the rest is no more than allowed, and no hour more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(100 * hour), bytes: fc.integer({ min: 1, max: 100 }) })),
        fc.nat(2000),
        (all, maxBytes) => {
          const ages = new Ages()
          for (const { at, bytes } of all) ages.add(at, bytes)
          const cutoff = ages.cutoff({ ...none, maxBytes }, 101 * hour)
          const left = (from: number) => all.reduce((sum, { at, bytes }) => sum + (at >= from ? bytes : 0), 0)
          expect(left(cutoff)).toBeLessThanOrEqual(maxBytes)
          // One hour less would not do.
          if (cutoff > -Infinity) expect(left(cutoff - hour)).toBeGreaterThan(maxBytes)
        },
      ),
    )
  })
})
