import type { Socket } from 'node:net'

type Field = readonly [name: string, value: string]

/** A frame of HTTP/2 (RFC 9113, 4.1). */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A text of HPACK of less than 127 bytes, without Huffman coding. */
const literal = (text: string): Buffer =>
  Buffer.concat([Buffer.from([Buffer.byteLength(text, 'latin1')]), Buffer.from(text, 'latin1')])

const endStream = 1
const endHeaders = 4

export const settings = frame(4, 0, 0, Buffer.alloc(0))

/** A HEADERS frame with fields that no client would let through. */
export const headers = (stream: number, fields: readonly Field[], more = false): Buffer =>
  frame(
    1,
    endHeaders + (more ? 0 : endStream),
    stream,
    Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)])),
  )

export const data = (stream: number, text: string, more = false): Buffer =>
  frame(0, more ? 0 : endStream, stream, Buffer.from(text))

/** RST_STREAM, by which a client gives a request up. */
export const reset = (stream: number, code: number): Buffer => frame(3, 0, stream, Buffer.of(0, 0, 0, code))

const ping = frame(6, 0, 0, Buffer.from('lastping'))
const pong = frame(6, 1, 0, Buffer.from('lastping'))

/**
 * Sends frames at the beginning of a connection, and resolves when the server has read all of them: it answers a ping
 * that follows, or ends the connection.
 */
export function sendFrames(socket: Socket, frames: readonly Buffer[]): Promise<void> {
  return new Promise((resolve) => {
    let got = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk])
      if (got.includes(pong)) resolve()
    })
    socket.on('close', () => resolve())
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings, ...frames, ping]))
  })
}
