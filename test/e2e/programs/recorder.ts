// Runs as a separate process: node recorder.ts PATH. Takes what comes to port 80: keeps each recording as PATH/N.cast,
// whole, and the events of requests as PATH/events, one a line.
import { appendFileSync, createWriteStream, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const path = process.argv[2] ?? ''
const events = join(path, 'events')
mkdirSync(path, { recursive: true })
writeFileSync(events, '')

let count = 0
const recordings = createHttp2()
recordings.on('stream', (stream, headers) => {
  stream.on('error', () => {})
  stream.respond({ ':status': 200 }, { endStream: headers[':method'] === 'HEAD' })
  if (headers[':method'] === 'HEAD') return
  count += 1
  const file = join(path, String(count))
  stream.write('{}\n')
  const kept = createWriteStream(file)
  stream.pipe(kept)
  kept.on('finish', () => {
    renameSync(file, `${file}.cast`)
    stream.end('{"ack":1}\n')
  })
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request)
  if (request.url === '/v2/event' && request.method === 'POST') appendFileSync(events, `${body}\n`)
  response.writeHead(request.url === '/v2/event' ? 200 : 404).end()
}
const others = createHttp((request, response) => void answer(request, response))

const server = createServer((socket) => {
  socket.on('error', () => {})
  const begin = (): void => {
    const some: unknown = socket.read()
    if (!Buffer.isBuffer(some)) return
    socket.off('readable', begin)
    socket.unshift(some)
    ;(some.toString('latin1', 0, 3) === 'PRI' ? recordings : others).emit('connection', socket)
  }
  socket.on('readable', begin)
})
server.listen(80, () => console.log('ready'))
