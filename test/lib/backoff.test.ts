import { describe, expect, it } from 'vitest'
import { backoff } from '../../lib/backoff.ts'

describe('backoff', () => {
  it('doubles up to its cap and starts over after a reset', () => {
    const pause = backoff(100, 1000, () => 0.5)
    expect(Array.from({ length: 6 }, () => pause.next())).toEqual([100, 200, 400, 800, 1000, 1000])
    expect(pause.attempts()).toBe(6)
    pause.reset()
    expect(pause.next()).toBe(100)
  })

  it('stays within 20 % of its cap after any number of attempts', () => {
    const pause = backoff(100, 1000)
    for (let attempt = 0; attempt < 3000; attempt += 1) expect(pause.next()).toBeLessThanOrEqual(1200)
    expect(pause.next()).toBeGreaterThanOrEqual(800)
  })
})
