import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { kubeClient } from '../../kube/client.ts'
import { KubeError } from '../../kube/error.ts'
import { describe as inWords } from '../../lib/errors.ts'
import { ApiServer, certificateFor, secretJson, statusJson } from './api-server.ts'

let files: ApiServer
let server: Server
let answer: (socket: TLSSocket) => void
const sockets = new Set<TLSSocket>()
const never = new AbortController().signal

beforeAll(async () => {
  const certificate = await certificateFor('IP:127.0.0.1')
  files = await ApiServer.start('127.0.0.1', certificate)
  server = createServer(certificate, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  server.close()
  await files[Symbol.asyncDispose]()
})

const client = () => kubeClient({ ...files.cluster, port: String((server.address() as AddressInfo).port) }, 100)

const bodies = fc.oneof(
  fc.constant(JSON.stringify(secretJson('a', '1', { authkey: 'hunter2' }))),
  fc.constant(JSON.stringify(statusJson(409, 'Conflict', 'first-token'))),
  fc.constant('{"data":{"a":"hunter2'),
  fc.constant('{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}}]}'),
  fc.json(),
  fc.string(),
)
const heads = fc.record({
  status: fc.oneof(
    fc.constantFrom(200, 201, 204, 100, 101, 302, 401, 404, 409, 429, 503),
    fc.integer({ min: 0, max: 1200 }),
  ),
  headers: fc.array(
    fc.constantFrom(
      'Retry-After: 0',
      'Retry-After: -1',
      'Transfer-Encoding: chunked',
      'Content-Length: 5',
      'Content-Length: 99999999',
      'Content-Encoding: gzip',
      'Connection: Upgrade',
      'Upgrade: h2c',
      'Location: /',
      'Connection: close',
      `X: ${'x'.repeat(20_000)}`,
    ),
    { maxLength: 3 },
  ),
})
const answers = fc.oneof(
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(heads, bodies)
    .map(([{ status, headers }, body]) =>
      Buffer.from(`HTTP/1.1 ${status} X\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n${body}`),
    ),
)
const endings = fc.constantFrom<(socket: TLSSocket) => void>(
  (socket) => socket.end(),
  (socket) => socket.destroy(),
  () => {},
)

const calls = [
  () => client().getSecret('a', never),
  () => client().patchSecret('a', new Map([['authkey', 'hunter2']]), never),
  () => client().createSecret('a', new Map([['authkey', 'hunter2']]), never),
  () => client().review('get', 'a', never),
  () => client().listSecret('a', never),
  () => Array.fromAsync(client().watchSecret('a', '1', 100, AbortSignal.timeout(300))),
] as const

it('a call returns a value or an error, ends, and leaks no secret, whatever the server answers', async () => {
  await fc.assert(
    fc.asyncProperty(answers, endings, fc.constantFrom(...calls), async (bytes, end, call) => {
      answer = (socket) => {
        socket.write(bytes)
        end(socket)
      }
      try {
        await call()
      } catch (error) {
        // A watch that has begun ends with the error that broke it.
        if (call !== calls[5]) expect(error).toBeInstanceOf(KubeError)
        expect(inWords(error)).not.toMatch(/hunter2|first-token/)
      }
    }),
    { numRuns: 200 },
  )
})
