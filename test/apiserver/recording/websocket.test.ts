import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { WebSocketReader } from '../../../apiserver/recording/websocket.ts'
import { frame, message } from './frames.ts'

/** What was read on each channel, if the bytes come in pieces of `sizes`; undefined if they cannot be read. */
function readAll(bytes: Buffer, isMasked: boolean, sizes: readonly number[] = []): Record<number, string> | undefined {
  const reader = new WebSocketReader(isMasked)
  const all: Record<number, string> = {}
  let rest = bytes
  for (let turn = 0; rest.length > 0; turn += 1) {
    const size = sizes[turn] ?? rest.length
    const pieces = reader.read(rest.subarray(0, size))
    if (pieces === undefined) return undefined
    for (const { number: channel, bytes: some } of pieces)
      all[channel] = `${all[channel] ?? ''}${some.toString('latin1')}`
    rest = rest.subarray(size)
  }
  return all
}

const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const key = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes))
const messages = fc.array(
  fc.record({
    channel: fc.integer({ min: 0, max: 255 }),
    parts: fc.array(payload, { minLength: 1, maxLength: 3 }),
    mask: key,
  }),
  { maxLength: 5 },
)

it('reads each channel, however messages are divided into frames, and frames into pieces', () => {
  fc.assert(
    fc.property(messages, fc.boolean(), fc.array(fc.integer({ min: 1, max: 20 })), (all, isMasked, sizes) => {
      const mask = (one: { mask: Buffer }) => (isMasked ? one.mask : undefined)
      const bytes = all.flatMap((one) => {
        const whole = [Buffer.concat([Buffer.of(one.channel), one.parts[0]!]), ...one.parts.slice(1)]
        return whole.flatMap((part, index) => [
          frame(part, { opcode: index === 0 ? 2 : 0, isFinal: index === whole.length - 1, mask: mask(one) }),
          frame(Buffer.from('ping'), { opcode: 9, mask: mask(one) }),
        ])
      })
      const expected: Record<number, string> = {}
      for (const { channel, parts } of all)
        expected[channel] = `${expected[channel] ?? ''}${Buffer.concat(parts).toString('latin1')}`
      expect(readAll(Buffer.concat(bytes), isMasked, sizes)).toEqual(expected)
    }),
  )
})

it('reads frames of all lengths', () => {
  for (const length of [0, 1, 124, 125, 126, 65_534, 65_535, 70_000])
    expect(readAll(message(1, 'x'.repeat(length)), false)).toEqual({ 1: 'x'.repeat(length) })
})

it('a message may begin with empty frames', () => {
  const nothing = Buffer.alloc(0)
  const bytes = [frame(nothing, { isFinal: false }), frame(Buffer.of(1, 65), { opcode: 0 }), frame(nothing)]
  expect(readAll(Buffer.concat(bytes), false)).toEqual({ 1: 'A' })
})

it.each<[string, Buffer]>([
  ['compressed', Buffer.of(0xc2, 1, 1)],
  ['masked by a server', message(1, 'x', Buffer.alloc(4))],
  ['of no known kind', Buffer.of(0x83, 1, 1)],
  ['a continuation of nothing', frame(Buffer.of(1), { opcode: 0 })],
  ['a message within another', Buffer.concat([frame(Buffer.of(1), { isFinal: false }), frame(Buffer.of(1))])],
  ['a divided control frame', frame(Buffer.of(1), { opcode: 9, isFinal: false })],
  ['a long control frame', frame(Buffer.alloc(126), { opcode: 9 })],
  ['longer than anything', Buffer.concat([Buffer.of(0x82, 127), Buffer.alloc(8, 0x7f)])],
])('cannot be read: %s', (_what, bytes) => {
  expect(readAll(bytes, false)).toBeUndefined()
  expect(readAll(Buffer.concat([message(1, 'a'), bytes, message(1, 'b')]), false)).toBeUndefined()
})

it('any bytes are read or cannot be, without an error', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 9 })),
      (some, isMasked, sizes) => {
        readAll(Buffer.from(some), isMasked, sizes)
      },
    ),
  )
})
