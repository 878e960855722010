import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddress, parseAddressPort, parseSingleAddressPrefix } from '../../lib/address.ts'

describe('parseAddress', () => {
  it.each([
    ['10.0.0.1', { family: 4, text: '10.0.0.1' }],
    ['fd7a:115c:a1e0:0::1', { family: 6, text: 'fd7a:115c:a1e0::1' }],
    ['FD7A:115C:A1E0::1', { family: 6, text: 'fd7a:115c:a1e0::1' }],
    ['::ffff:10.0.0.1', { family: 4, text: '10.0.0.1' }],
    ['::', { family: 6, text: '::' }],
    ['1:0:0:2:0:0:0:3', { family: 6, text: '1:0:0:2::3' }],
  ])('reads %s', (text, address) => {
    expect(parseAddress(text)).toEqual(address)
  })

  it.each([
    '',
    '10.0.0',
    '010.0.0.1',
    '10.1',
    '256.0.0.1',
    'fe80::1%eth0',
    ' 10.0.0.1',
    '10.0.0.1/32',
    'localhost',
    '[::1]',
    '1',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })

  it('gives the same text for its own text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseAddress(text)
        expect(parseAddress(address?.text ?? '')).toEqual(address)
      }),
    )
  })
})

describe('parseSingleAddressPrefix', () => {
  it.each([
    ['100.64.0.1/32', '100.64.0.1'],
    ['fd7a:115c:a1e0::1/128', 'fd7a:115c:a1e0::1'],
    ['100.64.0.1', '100.64.0.1'],
    ['100.64.0.0/10', undefined],
    ['fd7a::/48', undefined],
    ['100.64.0.1/', undefined],
    ['x/32', undefined],
  ])('%s is %s', (text, expected) => {
    expect(parseSingleAddressPrefix(text)?.text).toBe(expected)
  })
})

describe('parseAddressPort', () => {
  it.each([
    ['10.0.0.1:9002', { host: '10.0.0.1', family: 4, port: 9002 }],
    ['[::]:9002', { host: '::', family: 6, port: 9002 }],
    ['[fd00::1]:0', { host: 'fd00::1', family: 6, port: 0 }],
  ])('reads %s', (text, expected) => {
    expect(parseAddressPort(text)).toEqual({ text, ...expected })
  })

  it.each([
    ':9002',
    'localhost:9002',
    '10.0.0.1',
    '10.0.0.1:',
    '10.0.0.1:65536',
    '::1:9002',
    '[10.0.0.1]:9002',
    '[::]',
    '',
  ])('refuses %j', (text) => {
    expect(parseAddressPort(text)).toBeUndefined()
  })
})
