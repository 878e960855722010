import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBool, parseDuration } from '../../lib/go-values.ts'

describe('parseBool', () => {
  it.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('%s is true', (text) => expect(parseBool(text)).toBe(true))
  it.each(['0', 'f', 'F', 'FALSE', 'false', 'False'])('%s is false', (text) => expect(parseBool(text)).toBe(false))
  it.each(['', 'yes', 'tRue', 'on', ' true', '2'])('%j is neither', (text) => expect(parseBool(text)).toBeUndefined())
})

describe('parseDuration', () => {
  it.each([
    ['60s', 60_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['0', 0],
    ['-2s', -2000],
    ['+2s', 2000],
    ['.5s', 500],
    ['1.s', 1000],
    ['100ms', 100],
    ['1h0m0.5s', 3_600_500],
    ['1000us', 1],
    ['1000µs', 1],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBeCloseTo(ms, 9))

  it.each(['', '5', 's', '5 s', '1m 30s', '5x', '-', '.s', '1e3s', '5sfoo', '--1s'])('%j is no duration', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  )

  it('adds its terms up', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (minutes, seconds) => {
        expect(parseDuration(`${minutes}m${seconds}s`)).toBe(minutes * 60_000 + seconds * 1000)
      }),
    )
  })
})
