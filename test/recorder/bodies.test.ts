import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Bodies } from '../../recorder/bodies.ts'
import type { Request } from '../../recorder/upload.ts'
import { VirtualClock } from '../lib/virtual-clock.ts'

/** Bodies of at most 10 bytes together, and a request whose body the test sends. */
function reading() {
  const clock = new VirtualClock()
  const bodies = new Bodies(clock, 10)
  const send = () => {
    const stream = new PassThrough()
    return { stream, request: stream as unknown as Request }
  }
  return { clock, bodies, send }
}
const same = async (text: string): Promise<string> => text

describe('bodies of events', () => {
  it('are read as a whole', async () => {
    const { bodies, send } = reading()
    const { stream, request } = send()
    const taken = bodies.take(request, same)
    stream.write('some')
    stream.end(' text')
    expect(await taken).toBe('some text')
  })

  it('count together until they are dealt with, and too many are refused', async () => {
    const { bodies, send } = reading()
    const [first, second, third] = [send(), send(), send()]
    const stored = Promise.withResolvers<string>()
    first.stream.end('12345678')
    const taken = bodies.take(first.request, () => stored.promise)
    second.stream.end('123')
    const refused = { status: 503, reason: 'limit' }
    await expect.poll(() => first.stream.readableEnded).toBe(true)
    await expect(bodies.take(second.request, same)).rejects.toMatchObject(refused)
    stored.resolve('done')
    expect(await taken).toBe('done')
    third.stream.end('1234567890')
    expect(await bodies.take(third.request, same)).toBe('1234567890')
  })

  it('that do not come to their end in time are given up, and count no more', async () => {
    const { clock, bodies, send } = reading()
    const { stream, request } = send()
    const taken = bodies.take(request, same)
    taken.catch(() => {})
    stream.write('1234567890')
    await clock.advance(60_000)
    await expect(taken).rejects.toMatchObject({ reason: 'gone' })
    const other = send()
    other.stream.end('1234567890')
    expect(await bodies.take(other.request, same)).toBe('1234567890')
    expect(clock.pending).toBe(0)
  })
})
