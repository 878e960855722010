import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { channels } from '../../../apiserver/recording/channels.ts'
import { readersOf } from '../../../apiserver/recording/readers.ts'
import { control, data, headerBlock, HeaderFrames } from './spdy-frames.ts'

type All = Record<string, string>
type Readers = ReturnType<typeof readersOf>

/** What was read of each channel, if the bytes come in pieces of `sizes`; undefined if they cannot be read. */
async function readAll(read: Readers['fromCaller'], bytes: Buffer, sizes: readonly number[] = []) {
  const all: All = {}
  let rest = bytes
  for (let turn = 0; rest.length > 0; turn += 1) {
    const size = sizes[turn] ?? rest.length
    // oxlint-disable-next-line no-await-in-loop
    const pieces = await read(rest.subarray(0, size))
    if (pieces === undefined) return undefined
    for (const { channel = '', bytes: some } of pieces) all[channel] = `${all[channel] ?? ''}${some.toString('latin1')}`
    rest = rest.subarray(size)
  }
  return all
}

/** The frames with which a caller opens all streams, as kubectl does. */
async function opening(frames = new HeaderFrames()): Promise<Buffer> {
  const all: Buffer[] = [control(4, Buffer.alloc(12)), control(6, Buffer.alloc(4))]
  // oxlint-disable-next-line no-await-in-loop
  for (const [at, type] of channels.entries()) all.push(await frames.open(2 * at + 1, ['streamtype', type]))
  return Buffer.concat(all)
}
const idOf = (channel: (typeof channels)[number]): number => 2 * channels.indexOf(channel) + 1

const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const events = fc.array(fc.record({ channel: fc.constantFrom(...channels), bytes: payload }), { maxLength: 8 })
const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 300 })

it('reads each channel in both directions, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(events, sizes, async (all, cuts) => {
      const { fromCaller, fromServer } = readersOf('SPDY/3.1')
      const expected: All = {}
      for (const { channel, bytes } of all) {
        if (bytes.length > 0) expected[channel] = `${expected[channel] ?? ''}${bytes.toString('latin1')}`
      }
      const frames = all.flatMap(({ channel, bytes }) => [data(idOf(channel), bytes, 1), control(9, Buffer.alloc(8))])
      const bytes = Buffer.concat(frames)
      expect(await readAll(fromCaller, Buffer.concat([await opening(), bytes]), cuts)).toEqual(expected)
      // Its headers are not even text.
      const reply = Buffer.concat([control(2, Buffer.from('any')), control(8, Buffer.alloc(70_000)), control(7, bytes)])
      expect(await readAll(fromServer, Buffer.concat([reply, bytes]), cuts)).toEqual(expected)
    }),
    { numRuns: 40 },
  )
})

it('headers of all frames count, since they are compressed together', async () => {
  const { fromCaller } = readersOf('SPDY/3.1')
  const frames = new HeaderFrames()
  const bytes = [
    await frames.open(1, ['streamtype', 'error'], ['x', 'y'.repeat(20_000)]),
    await frames.more(8, 1, ['a', 'b']),
    await frames.more(2, 1, ['c', 'd']),
    await frames.open(301, ['port', '1'], ['streamtype', 'stdout']),
    data(301, 'x'.repeat(70_000)),
  ]
  expect(await readAll(fromCaller, Buffer.concat(bytes))).toEqual({ stdout: 'x'.repeat(70_000) })
})

it('reads what the library of Kubernetes writes', async () => {
  const { fromCaller } = readersOf('SPDY/3.1')
  expect(await readAll(fromCaller, Buffer.concat([Buffer.from(written, 'hex'), data(1, 'a'), data(3, 'b')]))).toEqual({
    error: 'a',
    stdout: 'b',
  })
})
/** Two streams, as spdystream 0.5.1 opens them. */
const written =
  '80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff' +
  '800300010000001900000003000000000000c22ac5565c92925f5a02000000ffff'

type Made = (frames: HeaderFrames) => Buffer | Promise<Buffer>
const raw = async (frames: HeaderFrames, block: Buffer, id = 11): Promise<Buffer> => {
  const head = Buffer.alloc(10)
  head.writeUInt32BE(id)
  return control(1, Buffer.concat([head, await frames.compressed(block)]))
}
const cases: [string, Made][] = [
  ['data of a stream that was not opened', () => data(99, 'x')],
  ['another version', () => control(6, Buffer.alloc(4), { version: 2 })],
  ['another protocol', () => Buffer.from('HTTP/1.1 200 OK\r\n')],
  ['a stream of another kind', (frames) => frames.open(11, ['streamtype', 'data'])],
  ['a stream without a kind', (frames) => frames.open(11, ['a', 'b'])],
  ['a stream of two kinds', (frames) => frames.open(11, ['streamtype', 'stdin\0stdout'])],
  ['a kind that is said twice', (frames) => frames.open(11, ['streamtype', 'stdin'], ['streamtype', 'stdout'])],
  ['a name in large letters', (frames) => frames.open(11, ['streamtype', 'stdin'], ['StreamType', 'stdout'])],
  ['a stream that is open', (frames) => frames.open(9, ['streamtype', 'stdout'])],
  ['a stream of the other side', (frames) => frames.open(12, ['streamtype', 'stdout'])],
  [
    'more headers than it says',
    (frames) =>
      raw(
        frames,
        headerBlock(
          [
            ['streamtype', 'stdin'],
            ['a', 'b'],
          ],
          1,
        ),
      ),
  ],
  ['fewer headers than it says', (frames) => raw(frames, headerBlock([['streamtype', 'stdin']], 2))],
  ['a header without an end', (frames) => raw(frames, headerBlock([['streamtype', 'stdin']]).subarray(0, -1))],
  ['headers that are not compressed', () => control(1, Buffer.concat([Buffer.alloc(10), headerBlock([])]))],
  [
    'headers without end',
    (frames) =>
      raw(
        frames,
        headerBlock([
          ['streamtype', 'stdin'],
          ['x', 'y'.repeat(9_000_000)],
        ]),
      ),
  ],
  ['a frame with headers that is too long', () => control(1, Buffer.alloc(70_000))],
  ['a frame that is too short', () => control(1, Buffer.alloc(3))],
]
it.each(cases)('cannot be read: %s', async (_what, made) => {
  const { fromCaller } = readersOf('SPDY/3.1')
  const frames = new HeaderFrames()
  const bytes = Buffer.concat([await opening(frames), await made(frames)])
  expect(await readAll(fromCaller, bytes)).toBeUndefined()
  expect(await fromCaller(data(1, 'x'))).toBeUndefined()
})

it('a server opens no streams', async () => {
  const { fromServer } = readersOf('SPDY/3.1')
  expect(await readAll(fromServer, await opening())).toBeUndefined()
})

it('a caller opens no streams without end', async () => {
  const { fromCaller } = readersOf('SPDY/3.1')
  const frames = new HeaderFrames()
  const all: Buffer[] = []
  // oxlint-disable-next-line no-await-in-loop
  for (let id = 1; id < 400; id += 2) all.push(await frames.open(id, ['streamtype', 'stdin']))
  expect(await readAll(fromCaller, Buffer.concat(all))).toBeUndefined()
})

it('any bytes are read or cannot be, without an error', async () => {
  const some = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
  const framed = fc
    .array(fc.tuple(fc.constantFrom(1, 2, 8, 9), some), { maxLength: 4 })
    .map((all) => Buffer.concat(all.map(([kind, bytes]) => control(kind, bytes))))
  await fc.assert(
    fc.asyncProperty(fc.oneof(some, framed), sizes, async (bytes, cuts) => {
      const { fromCaller, fromServer } = readersOf('SPDY/3.1')
      await readAll(fromCaller, bytes, cuts)
      await readAll(fromServer, bytes, cuts)
    }),
  )
})

it('whatever is changed in a connection is read or cannot be, without an error', async () => {
  const good = Buffer.concat([await opening(), data(3, 'shown')])
  const change = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }))
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const bytes = Buffer.from(good)
      for (const [at, value] of changes) bytes[at] = value
      await readAll(readersOf('SPDY/3.1').fromCaller, bytes)
    }),
  )
})
