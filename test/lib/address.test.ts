import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contains, parseAddress, parseAddressPort, parsePrefix, parseSingleAddressPrefix } from '../../lib/address.ts'

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

  it('parses its own text to the same text', () => {
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

describe('parsePrefix', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['100.64.0.1/32', '100.64.0.1/32'],
    ['192.168.77.255/25', '192.168.77.128/25'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['FD7A:115C:A1E0:B1A:0:7:A01:0/112', 'fd7a:115c:a1e0:b1a:0:7:a01:0/112'],
    ['fd99::ffff/3', 'e000::/3'],
    ['::/0', '::/0'],
    ['10.0.0.0', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/08', undefined],
    ['10.0.0.0/-1', undefined],
    ['fd00::/129', undefined],
    ['::ffff:10.0.0.0/104', undefined],
    ['fe80::1%eth0/64', undefined],
    ['10.0/8', undefined],
    ['10.0.0.0/8/8', undefined],
    ['', undefined],
  ])('%s is %s', (text, expected) => {
    expect(parsePrefix(text)?.text).toBe(expected)
  })
})

describe('contains', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.128/25', '10.0.0.127', false],
    ['100.64.0.1/32', '100.64.0.1', true],
    ['0.0.0.0/0', '10.0.0.1', true],
    ['0.0.0.0/0', 'fd00::1', false],
    ['::/0', '::ffff:10.0.0.1', false],
    ['fd7a:115c:a1e0:b1a:0:7::/96', 'fd7a:115c:a1e0:b1a:0:7:a01:5', true],
    ['fd7a:115c:a1e0:b1a:0:7::/96', 'fd7a:115c:a1e0:b1a:0:8:a01:5', false],
  ])('%s has %s: %s', (prefix, address, expected) => {
    expect(contains(parsePrefix(prefix)!, parseAddress(address)!)).toBe(expected)
  })

  it('has exactly the addresses that its mask maps to it', () => {
    const prefixes = fc.oneof(
      fc.tuple(fc.ipV4(), fc.ipV4(), fc.nat(32)),
      fc.tuple(fc.ipV6(), fc.ipV6(), fc.nat(128)),
      // Close addresses, so that many are within.
      fc
        .tuple(fc.nat(3), fc.nat(3), fc.integer({ min: 28, max: 32 }))
        .map(([one, other, bits]) => [`10.0.0.${one}`, `10.0.0.${other}`, bits] as const),
    )
    fc.assert(
      fc.property(prefixes, ([one, other, bits]) => {
        const [network, address] = [parsePrefix(`${one}/${bits}`), parseAddress(other)]
        fc.pre(network !== undefined && address !== undefined)
        expect(contains(network, address)).toBe(parsePrefix(`${other}/${bits}`)?.text === network.text)
        expect(parsePrefix(network.text)).toEqual(network)
      }),
    )
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
