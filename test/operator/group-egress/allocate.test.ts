import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allocate, isIn, ranges } from '../../../operator/group-egress/allocate.ts'

const small = { first: 10_000, last: 10_009 }
const none: ReadonlySet<number> = new Set()

describe('ports of a Service', () => {
  it('are in the range, are all different and nobody else’s, and stay when others are added', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 30 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 30 }),
        fc.uniqueArray(fc.integer({ min: 10_000, max: 10_199 }), { maxLength: 100 }),
        (before, after, others) => {
          const range = { first: 10_000, last: 10_199 }
          const used = new Set(others)
          const names = (list: number[]) => list.map((port) => `${port}/TCP`)
          const first = allocate(names(before), new Map(), used, range)
          const second = allocate(names(after), first, used, range)
          for (const given of [first, second]) {
            const ports = [...given.values()]
            expect(new Set(ports).size).toBe(ports.length)
            for (const port of ports) expect([isIn(range, port), used.has(port)]).toEqual([true, false])
          }
          expect([...second.keys()].toSorted()).toEqual(names(after).toSorted())
          for (const [name, port] of first) if (second.has(name)) expect(second.get(name)).toBe(port)
        },
      ),
    )
  })

  it('are given anew if they are out of the range, or somebody else’s', () => {
    const given = allocate(
      ['1/TCP', '2/TCP'],
      new Map([
        ['1/TCP', 20_000],
        ['2/TCP', 10_003],
      ]),
      new Set([10_003]),
      small,
    )
    expect([...given.values()].every((port) => isIn(small, port) && port !== 10_003)).toBe(true)
  })

  it('may be all that the range has, and are refused beyond that', () => {
    const wanted = Array.from({ length: 10 }, (_, index) => `${index}/TCP`)
    expect(new Set(allocate(wanted, new Map(), none, small).values()).size).toBe(10)
    expect(() => allocate(wanted, new Map(), new Set([10_000]), small)).toThrow(
      expect.objectContaining({
        reason: 'ConfigurationFailed',
        message: expect.stringContaining('has 10 ports, and not 10 of them are free'),
      }),
    )
  })

  it('follow from chance, so that one that has become free is not soon given again', () => {
    expect(allocate(['1/TCP'], new Map(), none, small, () => 0).get('1/TCP')).toBe(10_000)
    expect(allocate(['1/TCP'], new Map(), none, small, () => 0.999).get('1/TCP')).toBe(10_009)
  })

  it('are 1,000 with Tailscale’s agent, and below those of the kernel’s own connections with ours', () => {
    expect(ranges.upstream).toEqual({ first: 10_000, last: 10_999 })
    expect(ranges.culvert.last).toBeLessThan(32_768)
  })
})
