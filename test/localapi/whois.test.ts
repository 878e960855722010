import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../lib/address.ts'
import { readWhois } from '../../localapi/whois.ts'
import { aWhois } from '../apiserver/a-whois.ts'

const address = parseAddress('100.64.0.7')!
const now = new Date('2026-11-30T12:00:00Z')
const read = (options: Parameters<typeof aWhois>[1] = {}) => readWhois(aWhois(address.text, options), address, now)

describe('who is at an address', () => {
  it('is the node that tailscaled names', () => {
    expect(read({ capMap: { a: [1] } })).toEqual({
      name: 'laptop.lab.ts.net',
      id: 'nLaptop',
      tags: [],
      login: 'alice@example.com',
      userId: 1,
      isExpired: false,
      capabilities: { a: [1] },
    })
    expect(read({ node: { Tags: ['tag:a'] } }).tags).toEqual(['tag:a'])
  })

  it.each([
    [{ KeyExpiry: '2026-11-30T12:00:00Z' }, true],
    [{ KeyExpiry: '2026-11-30T12:00:01Z' }, false],
    [{ KeyExpiry: '2026-12-30T12:00:00Z', Expired: true }, true],
    [{ KeyExpiry: null }, false],
  ])('with %j, its key has expired: %s', (node, isExpired) => {
    expect(read({ node }).isExpired).toBe(isExpired)
  })

  it('of a connection from this machine may be any node', () => {
    const text = aWhois('100.64.0.99')
    expect(readWhois(text, 'of this machine', now).id).toBe('nLaptop')
    expect(() => readWhois(text, address, now)).toThrow('it is about another node')
  })

  it.each(['', 'null', '[]', '{}', '{"Node":[]}', '{"Node":{"Addresses":"x"}}', '{"Node":{"Tags":[1]}}'])(
    'is not known by %j',
    (text) => {
      expect(() => readWhois(text, 'of this machine', now)).toThrow(/it names no node|a list of texts/)
    },
  )
})
