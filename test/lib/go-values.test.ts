import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBool, parseDuration, parseUint32 } from '../../lib/go-values.ts'

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

  it.each(['', '5', 's', '5 s', '1m 30s', '5x', '-', '.s', '1e3s', '5sfoo', '--1s'])('%j is not a duration', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  )

  it('sums its terms', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (minutes, seconds) => {
        expect(parseDuration(`${minutes}m${seconds}s`)).toBe(minutes * 60_000 + seconds * 1000)
      }),
    )
  })
})

describe('parseUint32', () => {
  it.each([
    ['0', 0],
    ['7', 7],
    ['1_0', 10],
    ['0x7', 7],
    ['0XfF', 255],
    ['0x_1', 1],
    ['07', 7],
    ['0_7', 7],
    ['00', 0],
    ['0o17', 15],
    ['0O17', 15],
    ['0b101', 5],
    ['4294967295', 4_294_967_295],
  ])('%s is %i', (text, value) => expect(parseUint32(text)).toBe(value))

  it.each([
    '',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '_1',
    '1_',
    '1__0',
    '08',
    '0x',
    '0xg',
    '0b2',
    '4294967296',
    '0x1_0000_0000',
    ' 1',
  ])('%j is not a number', (text) => expect(parseUint32(text)).toBeUndefined())
})
