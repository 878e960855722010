import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nameProblem, viaAddress } from '../../../agent/targets/names.ts'

describe('nameProblem', () => {
  it.each([
    'a',
    'a.b',
    'a.b.',
    '.a.b',
    `${'x'.repeat(63)}.lab`,
    `${`${'x'.repeat(49)}.`.repeat(5)}lab`,
    'not a host.lab',
    `a.${'x'.repeat(64)}`,
    `${`${'x'.repeat(62)}.`.repeat(4)}y`,
  ])('%j is a valid name', (name) => expect(nameProblem(name)).toBeUndefined())

  it.each([
    ['', /empty/],
    ['.', /empty/],
    ['..a', /label/],
    ['a..b', /label/],
    [`${'x'.repeat(64)}.lab`, /label/],
    [`${'é'.repeat(32)}.lab`, /label/],
    [`${`${'x'.repeat(62)}.`.repeat(4)}yz`, /longer than the 254 bytes/],
  ])('%j is not a valid name', (name, problem) => expect(nameProblem(name)).toMatch(problem))
})

describe('viaAddress', () => {
  it.each([
    ['10-1-0-5-via-7', 'fd7a:115c:a1e0:b1a:0:7:a01:5'],
    ['0-0-0-0-via-0.', 'fd7a:115c:a1e0:b1a::'],
    ['255-255-255-255-via-4294967295.a.ts.net', 'fd7a:115c:a1e0:b1a:ffff:ffff:ffff:ffff'],
    ['10-1-0-5-via-0x1_0000.ts.net', 'fd7a:115c:a1e0:b1a:1:0:a01:5'],
    ['10-1-0-5-Via-1_0.x.tailscale.net', 'fd7a:115c:a1e0:b1a:0:a:a01:5'],
    ['10-1-0-5-via-7.example.com', undefined],
    ['10-1-0-5-via-7.xts.net', undefined],
    ['10-1-0-5-via-4294967296', undefined],
    ['10-1-0-5-via-', undefined],
    ['10-1-0-5-via-7-via-8', undefined],
    ['10-1-0-256-via-7', undefined],
    ['10-01-0-5-via-7', undefined],
    ['10-1-0-via-7', undefined],
    ['a.10-1-0-5-via-7', undefined],
  ])('%s is %s', (name, expected) => expect(viaAddress(name)?.text).toBe(expected))

  it('is different for each site and address', () => {
    const part = fc.nat(255)
    fc.assert(
      fc.property(part, part, part, part, fc.nat(0xff_ff_ff_ff), (a, b, c, d, site) => {
        const text = viaAddress(`${a}-${b}-${c}-${d}-via-${site}`)?.text ?? ''
        const [head = '', tail = ''] = text.split('::')
        const [front, back] = [head, tail].map((half) => half.split(':').filter((group) => group !== ''))
        const zeros = Array.from({ length: text.includes('::') ? 8 - front!.length - back!.length : 0 }, () => '0')
        const [, , , , high, low, ab, cd] = [...front!, ...zeros, ...back!].map((group) => Number.parseInt(group, 16))
        expect([high, low, ab, cd]).toEqual([site >>> 16, site & 0xffff, a * 256 + b, c * 256 + d])
      }),
    )
  })
})
