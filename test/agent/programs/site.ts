// Runs as a separate process: node site.ts PORT
// A site with a page (site.html), with the headers of the request at /request, and with a WebSocket that first sends
// the headers of its handshake and then echoes.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'

/** A request as it arrived. */
export type Asked = { readonly url: string | undefined; readonly headers: IncomingHttpHeaders }

/** What the page has seen. */
export type Seen = {
  readonly title: string
  readonly secure: boolean
  /** Such as `h2`. */
  readonly protocol: string
  readonly request: Asked
  readonly upgrade: Asked | null
  readonly echoes: readonly string[]
  readonly closed: { readonly code: number; readonly reason: string; readonly wasClean: boolean }
}

const page = readFileSync(join(import.meta.dirname, 'site.html'))
const [port = ''] = process.argv.slice(2)

/**
 * A complete frame at the start of `bytes`, its payload unmasked (RFC 6455 §5.2); undefined until all of it has come.
 */
function frameOf(bytes: Buffer): { first: number; payload: Buffer; length: number } | undefined {
  if (bytes.length < 2) return undefined
  const short = bytes[1]! & 0x7f
  const head = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < head + 4) return undefined
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  const length = head + 4 + size
  if (bytes.length < length) return undefined
  const mask = bytes.subarray(head, head + 4)
  const payload = Buffer.from(bytes.subarray(head + 4, length).map((byte, at) => byte ^ mask[at % 4]!))
  return { first: bytes[0]!, payload, length }
}

/** A frame as a server sends it; `first` is the byte with FIN and opcode. */
function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = first
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, payload])
}

const text = 0x81
const close = 0x88

/** Each frame is sent back as it came, also a fragment and the closing frame. */
function echo(socket: Duplex): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data])
    for (let next = frameOf(rest); next !== undefined; next = frameOf(rest)) {
      rest = rest.subarray(next.length)
      socket.write(frame(next.first, next.payload))
      if (next.first === close) socket.end()
    }
  })
}

createServer(({ url, headers }, response) => {
  if (url === '/request') response.end(JSON.stringify({ url, headers } satisfies Asked))
  else response.setHeader('Content-Type', 'text/html').end(page)
})
  .on('upgrade', ({ url, headers }, socket) => {
    const accept = createHash('sha1')
      .update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    const answer = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
    socket.write(`${[...answer, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`)
    socket.write(frame(text, Buffer.from(JSON.stringify({ url, headers } satisfies Asked))))
    socket.on('error', () => socket.destroy())
    echo(socket)
  })
  .listen(Number(port), () => console.log('listening'))
