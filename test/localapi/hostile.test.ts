import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CulvertError, describe as inWords } from '../../lib/errors.ts'
import { watchBus } from '../../localapi/bus.ts'
import { type LocalApi, localApi } from '../../localapi/client.ts'
import { getStatus } from '../../localapi/status.ts'
import { busLines, statusBodies } from './documents.ts'

let folder: string
let server: Server
let api: LocalApi
let answer: (socket: Socket) => void
const sockets = new Set<Socket>()
const never = new AbortController().signal

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve))
  api = localApi(join(folder, 's'))
})
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
  rmSync(folder, { recursive: true })
})

const bodies = fc.oneof(
  statusBodies,
  fc.array(busLines, { maxLength: 5 }).map((lines) => lines.map((line) => `${line}\n`).join('')),
  fc.constantFrom('{"Error":"no netmap"}', '{"error":{}}', 'access denied\n', 'null', '[{"Error":"x"}]'),
  fc.string(),
)
const heads = fc.record({
  status: fc.oneof(fc.constantFrom(200, 200, 204, 100, 101, 304, 400, 403, 412, 500), fc.nat(1200)),
  headers: fc.array(
    fc.constantFrom(
      'Transfer-Encoding: chunked',
      'Content-Length: 5',
      'Content-Length: 99999999999',
      'Content-Encoding: gzip',
      'Connection: Upgrade',
      'Upgrade: ts-dial',
      'Tailscale-Cap: x',
      `X: ${'x'.repeat(20_000)}`,
    ),
    { maxLength: 3 },
  ),
})
const answers = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(heads, bodies)
      .map(([{ status, headers }, body]) =>
        Buffer.from(`HTTP/1.1 ${status} X\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n${body}`),
      ),
  },
)
const endings = fc.constantFrom<(socket: Socket) => void>(
  (socket) => socket.end(),
  (socket) => socket.destroy(),
  () => {},
)
const calls = fc.constantFrom<() => Promise<unknown>>(
  () => api.get('prefs', never, 100),
  () => api.post('reload-config', never, 100),
  ...[true, false].flatMap((peers) => [
    () => getStatus(api, { peers }, never, 100),
    () => Array.fromAsync(watchBus(api, { peers }, AbortSignal.timeout(100), () => {})),
  ]),
)

it('a call returns a value or an error, and ends, whatever the server answers', async () => {
  await fc.assert(
    fc.asyncProperty(answers, endings, calls, async (bytes, end, call) => {
      answer = (socket) => {
        socket.write(bytes)
        end(socket)
      }
      try {
        await call()
      } catch (error) {
        expect(error).toBeInstanceOf(CulvertError)
        expect(inWords(error).length).toBeLessThan(3000)
      }
    }),
    { numRuns: 300 },
  )
})

it('an endless answer is aborted before it fills the memory', async () => {
  let sent = 0
  answer = (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const piece = Buffer.alloc(65_536, '[')
    const pump = (): void => {
      while (!socket.destroyed && socket.write(piece)) sent += piece.length
      sent += piece.length
    }
    socket.on('drain', pump)
    pump()
  }
  await expect(api.get('status', never, 30_000)).rejects.toMatchObject({
    cause: expect.objectContaining({ message: expect.stringMatching(/larger than/) }),
  })
  expect(sent).toBeLessThan(64 * 1024 * 1024)
})
