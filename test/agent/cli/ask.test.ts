import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ask } from '../../../agent/cli/ask.ts'

let folder: string
let answer: (connection: Socket) => void
const server = createServer((connection) => {
  connection.on('error', () => {})
  connection.once('data', () => answer(connection))
})
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  await new Promise<void>((resolve) => void server.listen(join(folder, 'socket'), resolve))
})
afterEach(() => {
  server.close()
  rmSync(folder, { recursive: true })
})
const asked = () => ask(join(folder, 'socket'), '/status')

it('returns status and body', async () => {
  answer = (connection) => connection.end('HTTP/1.1 503 x\r\nconnection: close\r\n\r\nnot yet')
  expect(await asked()).toEqual({ status: 503, body: 'not yet' })
})

it.each([
  ['another protocol', 'HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', /without an answer/],
  ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok', /aborted/],
  ['something else', 'SSH-2.0-x\r\n', /Parse Error/],
])('rejects %s', async (_what, text, problem) => {
  answer = (connection) => connection.end(text)
  await expect(asked()).rejects.toThrow(problem)
})
