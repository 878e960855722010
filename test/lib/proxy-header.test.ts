import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../lib/address.ts'
import { isLoopback, parseProxyHeader } from '../../lib/proxy-header.ts'
import { proxyHeader } from '../apiserver/proxy-header.ts'

const address = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => {
  const parsed = parseAddress(text)
  return parsed !== undefined && !text.includes('.') === text.includes(':') && !isLoopback(parsed)
})

describe('a PROXY header', () => {
  it('names the peer, whatever follows', () => {
    fc.assert(
      fc.property(address, fc.nat(65_535), fc.uint8Array({ maxLength: 40 }), (text, port, after) => {
        const header = proxyHeader(text, port)
        const origin = { address: parseAddress(text), port }
        const found = { kind: 'origin', origin, length: header.length }
        expect(parseProxyHeader(Buffer.concat([header, after]))).toEqual(found)
      }),
    )
  })

  it('needs all of its bytes, however they come', () => {
    const header = proxyHeader('100.64.0.7', 4711, Buffer.from('further fields'))
    for (let length = 0; length < header.length; length += 1)
      expect(parseProxyHeader(header.subarray(0, length))).toEqual({ kind: 'more' })
    expect(parseProxyHeader(header)).toMatchObject({ kind: 'origin', length: header.length })
  })

  const changed = (at: number, ...bytes: number[]): Buffer => {
    const header = Buffer.from(proxyHeader('100.64.0.7', 4711))
    header.set(bytes, at)
    return header
  }
  it.each([
    ['version 1', Buffer.from('PROXY TCP4 100.64.0.7 100.64.0.1 4711 443\r\n')],
    ['HTTP without a header', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a changed signature', changed(3, 0x0b)],
    ['another version', changed(12, 0x11)],
    ['the command LOCAL', changed(12, 0x20)],
    ['an unknown command', changed(12, 0x22)],
    ['UDP', changed(13, 0x12)],
    ['a unix socket', changed(13, 0x31)],
    ['no family', changed(13, 0)],
    ['too few bytes for the addresses', changed(14, 0, 11)],
    ['more bytes than any header has', changed(14, 0xff, 0xff)],
    ['a loopback address', proxyHeader('127.0.0.1', 4711)],
    ['another loopback address', proxyHeader('127.9.9.9', 4711)],
    ['the IPv6 loopback address', proxyHeader('::1', 4711)],
    ['a loopback address as IPv6', proxyHeader('::ffff:7f00:1', 4711)],
  ])('is refused: %s', (_what, bytes) => {
    expect(parseProxyHeader(bytes)).toMatchObject({ kind: 'bad' })
  })

  it('is nothing that any other bytes could be', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const parsed = parseProxyHeader(Buffer.from(bytes))
        expect(parsed.kind).not.toBe('origin')
      }),
    )
  })
})
