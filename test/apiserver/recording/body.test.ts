import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { PerPeer } from '../../../apiserver/per-peer.ts'
import { readBody } from '../../../apiserver/recording/body.ts'

it('a body is read whole, or goes on whole if there is not enough room for it', async () => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }).map((bytes) => Buffer.from(bytes)))
  await fc.assert(
    fc.asyncProperty(chunks, async (all) => {
      const room = new PerPeer(200)
      const read = await readBody(Readable.from(all, { objectMode: false }), 'a', room)
      const expected = Buffer.concat(all)
      expect('whole' in read).toBe(expected.length <= 200)
      expect('whole' in read ? read.whole : await buffer(read.rest)).toEqual(expected)
      read.free()
      expect(room.take('a', 200)).toBe(true)
    }),
  )
})

it('a body that is larger than the API server takes is not kept', async () => {
  const all = Array.from({ length: 4 }, () => Buffer.alloc(1024 * 1024, 'x'))
  const read = await readBody(Readable.from(all, { objectMode: false }), 'a', new PerPeer(100_000_000))
  expect(read).toMatchObject({ isLarge: true })
  expect('rest' in read && (await buffer(read.rest)).length).toBe(4 * 1024 * 1024)
})

it('a body that breaks off is none, and needs no room', async () => {
  const room = new PerPeer(10)
  const body = new PassThrough()
  body.write('12345678')
  const read = readBody(body, 'a', room)
  setImmediate(() => body.destroy())
  await expect(read).rejects.toThrow('broke off')
  expect(room.take('a', 10)).toBe(true)
  await expect(readBody(body, 'a', room)).rejects.toThrow('broke off')
})
