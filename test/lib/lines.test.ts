import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { lines } from '../../lib/lines.ts'

const limit = 32 * 1024 * 1024

async function* chunksOf(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let start = 0
  for (const size of sizes) {
    yield bytes.subarray(start, start + size)
    start += size
  }
  yield bytes.subarray(start)
}

it('yields whole lines wherever the stream is split', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '))),
      fc.array(fc.nat(20)),
      async (texts, sizes) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''))
        expect(await Array.fromAsync(lines(chunksOf(bytes, sizes), limit))).toEqual(texts)
      },
    ),
  )
})

it('drops an unterminated last line', async () => {
  expect(await Array.fromAsync(lines(chunksOf(Buffer.from('a\nb'), []), limit))).toEqual(['a'])
})

it('yields a line of 20 MB', async () => {
  const long = 'x'.repeat(20 * 1024 * 1024)
  const sizes = Array.from({ length: 320 }, () => 65_536)
  const [line] = await Array.fromAsync(lines(chunksOf(Buffer.from(`${long}\n`), sizes), limit))
  expect(line === long).toBe(true)
})

it('refuses a line over the limit, so that memory is bounded', async () => {
  await expect(Array.fromAsync(lines(chunksOf(Buffer.alloc(1000, 'x'), [400, 400]), 500))).rejects.toThrow(
    /longer than 500/,
  )
})
