import { expect, it } from 'vitest'
import { isFrom, parseCapability, parseTailscaleVersion, unsupported } from '../../wire/capability-version.ts'

it.each([
  ['1.103.0', true],
  ['1.104.2-t0123abcd', true],
  ['2.0', true],
  ['1.102.5-lab', false],
  ['0.200.1', false],
  ['unknown', undefined],
  ['', undefined],
])('%j is of 1.103 or later: %s', (version, expected) => {
  expect(isFrom(version, '1.103')).toBe(expected)
})

it.each([
  ['1.80.0', true],
  ['1.104.7-t1', true],
  ['1.78.3', false],
  ['1.105.0-dev20261128', false],
  ['2.80.0', false],
  ['(devel)', false],
])('%s is supported: %s', (version, expected) => {
  expect(unsupported(version) === undefined).toBe(expected)
})

it.each<[string | undefined, number | undefined]>([
  ['148', 148],
  [undefined, undefined],
  ['', undefined],
  ['-1', undefined],
  ['0', undefined],
  ['14 8', undefined],
  ['9'.repeat(40), undefined],
])('the header %j tells %s', (header, expected) => {
  expect(parseCapability(header)).toBe(expected)
})

it.each<[string, object | undefined]>([
  ['{"majorMinorPatch":"1.104.2","cap":148,"long":"x"}', { version: '1.104.2', cap: 148 }],
  ['{"majorMinorPatch":"1.104.2","cap":"148"}', undefined],
  ['{"majorMinorPatch":"1.104.2","cap":1.5}', undefined],
  ['{"cap":148}', undefined],
  ['null', undefined],
  ['[]', undefined],
  ['', undefined],
])('%s', (json, expected) => {
  expect(parseTailscaleVersion(json)).toEqual(expected)
})
