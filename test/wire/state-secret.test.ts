import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Address, parseAddress } from '../../lib/address.ts'
import { parseDeviceFqdn, parseDeviceIps, renderDeviceFqdn, renderDeviceIps } from '../../wire/state-secret.ts'

describe('the name of a device', () => {
  it.each([
    ['node.lab.ts.net', 'node.lab.ts.net.'],
    ['node.lab.ts.net.', 'node.lab.ts.net.'],
    ['node', 'node.'],
  ])('%s is written as %s', (name, text) => {
    expect(renderDeviceFqdn(name)).toBe(text)
  })

  it.each(['', '.'])('%j is not a name', (text) => {
    expect(parseDeviceFqdn(text)).toBeUndefined()
  })

  it('is read as written, without the trailing dot', () => {
    fc.assert(
      fc.property(fc.domain(), fc.constantFrom('', '.'), (name, dot) => {
        expect(parseDeviceFqdn(renderDeviceFqdn(`${name}${dot}`))).toBe(name)
      }),
    )
  })
})

describe('the addresses of a device', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6()).map((text): Address => parseAddress(text)!)

  it('are written as a list', () => {
    const addresses: Address[] = [
      { family: 4, text: '100.64.0.1' },
      { family: 6, text: 'fd7a:115c:a1e0::1' },
    ]
    expect(renderDeviceIps(addresses)).toBe('["100.64.0.1","fd7a:115c:a1e0::1"]')
  })

  it('are read as written', () => {
    fc.assert(
      fc.property(fc.array(address), (addresses) => {
        expect(parseDeviceIps(renderDeviceIps(addresses))).toEqual(addresses)
      }),
    )
  })

  it.each([
    '',
    'null',
    '{}',
    '"100.64.0.1"',
    '[1]',
    '[null]',
    '["100.64.0.1/32"]',
    '["100.64.0.1",""]',
    '["100.64.0.1"',
  ])('%s is not a list of addresses', (text) => {
    expect(parseDeviceIps(text)).toBeUndefined()
  })
})
