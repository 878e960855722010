import type { RequestListener, Server } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { close, serve } from '../../../lib/http-server.ts'
import { relayTo } from '../../../agent/endpoints/relay.ts'
import { patience } from '../../lab/patience.ts'
import { ask, onLoopback } from '../../lib/http-servers.ts'

let behind: { server: Server; address: string }
let front: { server: Server; address: string }
let answer: RequestListener
const startFront = (timeoutMs: number) =>
  onLoopback(serve({}, { prefix: '/debug/', to: relayTo(behind.address, timeoutMs) }))
beforeEach(async () => {
  behind = await onLoopback((request, response) => answer(request, response))
  front = await startFront(patience)
})
afterEach(() => Promise.all([close(front.server), close(behind.server)]))

it('passes on method, path, query, body and headers, except hop-by-hop and refused ones', async () => {
  answer = (request, response) => {
    response.writeHead(418, { 'x-answer': 'yes', 'x-seen': JSON.stringify(request.headers) })
    response.write(`${request.method} ${request.url} `)
    request.pipe(response)
  }
  const headers = { 'x-asked': 'yes', origin: 'http://o', referer: 'http://r', te: 'trailers', connection: 'close' }
  const reply = await ask(front.address, '/debug/pprof/symbol?seconds=30&x', { method: 'POST', headers, body: 'of it' })
  expect(reply).toMatchObject({ status: 418, body: 'POST /debug/pprof/symbol?seconds=30&x of it' })
  expect(reply.headers['x-answer']).toBe('yes')
  const seen = JSON.parse(String(reply.headers['x-seen'])) as Record<string, string>
  expect(seen).toMatchObject({ 'x-asked': 'yes', host: behind.address })
  expect(Object.keys(seen).filter((name) => ['origin', 'referer', 'te'].includes(name))).toEqual([])
})

it('frames the body of a request, also for methods that normally have none', async () => {
  const asked: string[] = []
  answer = (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.pipe(response)
  }
  const headers = { 'transfer-encoding': 'chunked' }
  const body = 'GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n'
  expect(await ask(front.address, '/debug/', { method: 'DELETE', headers, body })).toMatchObject({ status: 200, body })
  expect(asked).toEqual(['DELETE /debug/'])
})

it('ends with the client', async () => {
  const closed = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  answer = (_request, response) => {
    response.on('close', () => closed.resolve())
    asked.resolve()
  }
  const abort = new AbortController()
  const asking = ask(front.address, '/debug/pprof/profile', { signal: abort.signal })
  await asked.promise
  abort.abort()
  await expect(asking).rejects.toThrow()
  await closed.promise
})

it('answers 502 for a silent server, and aborts an answer that has begun', async () => {
  const impatient = await startFront(1000)
  answer = () => {}
  expect(await ask(impatient.address, '/debug/')).toMatchObject({ status: 502, body: 'nothing was heard for 1 s\n' })
  answer = (_request, response) => response.writeHead(200, { 'content-length': '10' }).write('half')
  await expect(ask(impatient.address, '/debug/')).rejects.toThrow(/aborted/)
  await close(impatient.server)
})

it('answers 502 when nothing listens', async () => {
  await close(behind.server)
  expect(await ask(front.address, '/debug/')).toMatchObject({ status: 502, body: /ECONNREFUSED/ })
})

it.each(['HTTP/1.1 099 Odd\r\n\r\n', 'HTTP/1.1 200 OK\r\nx: a\u0001b\r\n\r\n', 'nonsense\r\n\r\n', ''])(
  'survives the answer %j',
  async (bytes) => {
    const odd = createServer((socket: Socket) => socket.once('data', () => socket.end(bytes)))
    await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve))
    const { port } = odd.address() as { port: number }
    const relay = await onLoopback(serve({}, { prefix: '/debug/', to: relayTo(`127.0.0.1:${port}`, 1000) }))
    expect(await ask(relay.address, '/debug/')).toMatchObject({ status: 502 })
    await close(relay.server)
    odd.close()
  },
)

it('answers for a server that switches protocols without being asked', async () => {
  answer = ({ socket }) => socket.end('HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')
  expect(await ask(front.address, '/debug/')).toMatchObject({
    status: 502,
    body: expect.stringContaining('without an answer') as string,
  })
})
