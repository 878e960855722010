import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutMarker, readTail } from '../../../recorder/cast/tail.ts'

const of = (text: string | Buffer) => {
  const bytes = Buffer.from(text)
  return { bytes: bytes.length, read: async (from: number, to: number) => bytes.subarray(from, to) }
}
const event = (seconds: number, text: string): string => `${JSON.stringify([seconds, 'o', text])}\n`

describe('the end of a recording', () => {
  it('is after its last whole line, however long lines are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(9000), { maxLength: 5 }),
        fc.string({ unit: fc.constantFrom('x', '"', '€'), maxLength: 9000 }),
        async (lengths, rest) => {
          const lines = lengths.map((length, at) => event(at, 'y'.repeat(length))).join('')
          expect(await readTail(of(`${lines}${rest}`))).toEqual({
            whole: Buffer.byteLength(lines),
            seconds: lengths.length > 0 ? lengths.length - 1 : undefined,
            isCut: false,
          })
        },
      ),
    )
  })

  it.each([
    ['[1.5,"o","x"]', 1.5],
    ['[ 2 , "o", "x"]', 2],
    ['[1e1,"o","x"]', 10],
    ['{"version":2}', undefined],
    ['nonsense', undefined],
    ['[null,"o","x"]', undefined],
  ])('after %s it is %s seconds long', async (line, seconds) => {
    expect((await readTail(of(`${line}\n`))).seconds).toBe(seconds)
  })

  it('says whether it was cut off, whatever the reason', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.string(), async (seconds, why) => {
        const { isCut, seconds: found } = await readTail(of(`{}\n${cutMarker(seconds, why)}`))
        expect([isCut, found]).toEqual([true, seconds + 0])
      }),
    )
    expect((await readTail(of('{}\n[1,"m","recording"]\n'))).isCut).toBe(false)
    expect((await readTail(of('{}\n[1,"o","recording cut off: x"]\n'))).isCut).toBe(false)
  })
})
