import { afterEach, beforeEach, expect, it } from 'vitest'
import { transport } from '../../kube/transport.ts'
import { CulvertError } from '../../lib/errors.ts'
import type { Gate } from '../../lib/gate.ts'
import type { Credentials } from '../../lib/transport.ts'
import { ApiServer, json, reasonOf } from './api-server.ts'

const never = new AbortController().signal
const closed = new CulvertError('leader', 'it is closed')

let server: ApiServer
let closing: AbortController
let isOpen: boolean
beforeEach(async () => {
  server = await ApiServer.start()
  server.answer = (_seen, response) => json(response, {})
  closing = new AbortController()
  isOpen = true
})
afterEach(() => server[Symbol.asyncDispose]())

const close = (): void => {
  isOpen = false
  closing.abort(closed)
}

/** Sends requests through a gate; `credentials` is called before each attempt. */
function sender(credentials: () => void | Promise<void> = () => {}, limitMs = 60_000) {
  const gate: Gate = {
    check: () => {
      if (!isOpen) throw closed
    },
    signal: closing.signal,
    limitMs,
  }
  const account = {
    credentials: async (): Promise<Credentials> => {
      await credentials()
      return { headers: {}, hidden: [], tls: { ca: server.ca } }
    },
  }
  const { host, port } = server.cluster
  const { call } = transport({ url: `https://${host}:${port}` }, account, 60_000, { gate })
  return (method: 'GET' | 'PATCH' | 'POST' | 'DELETE') =>
    call({ verb: 'do', object: 'something', method, path: '/' }, (text) => text, never)
}

it('lets everything pass while it is open, and what only reads when it is not', async () => {
  const send = sender()
  await send('PATCH')
  close()
  await send('GET')
  expect(server.seen.map(({ method }) => method)).toEqual(['PATCH', 'GET'])
  for (const method of ['PATCH', 'POST', 'DELETE'] as const) expect(await reasonOf(send(method))).toBe(closed)
  expect(server.seen).toHaveLength(2)
})

it('lets nothing pass if it closes while credentials are fetched', async () => {
  const send = sender(() => void (isOpen = false))
  expect(await reasonOf(send('DELETE'))).toBe(closed)
  expect(server.connections).toBe(0)
})

it.each(['PATCH', 'DELETE'] as const)(
  'lets nothing pass if it closes while the connection is being opened, without any timer: %s',
  async (method) => {
    let checks = 0
    const gate: Gate = {
      check: () => {
        checks += 1
        if (checks > 1) throw closed
      },
      signal: never,
      limitMs: 60_000,
    }
    const account = { credentials: (): Credentials => ({ headers: {}, hidden: [], tls: { ca: server.ca } }) }
    const { host, port } = server.cluster
    const { call } = transport({ url: `https://${host}:${port}` }, account, 60_000, { gate })
    const request = { verb: 'do', object: 'something', path: '/', body: { type: 'text/plain', text: 'x' } }
    expect(await reasonOf(call({ ...request, method }, (text) => text, never))).toBe(closed)
    expect(checks).toBe(2)
    await call({ ...request, method: 'GET' }, (text) => text, never)
    expect(server.connections).toBeGreaterThan(0)
    expect(server.seen.map((one) => one.method)).toEqual(['GET'])
  },
)

it('lets nothing pass a second time when the first answer was that the server is busy', async () => {
  const send = sender()
  server.answer = (_seen, response) => {
    isOpen = false
    json(response, {}, 429, { 'Retry-After': '0' })
  }
  expect(await reasonOf(send('POST'))).toBe(closed)
  expect(server.seen).toHaveLength(1)
})

it('gives up what is under way when it closes, and what takes longer than its limit', async () => {
  server.answer = () => {}
  const send = sender()
  const waiting = reasonOf(send('PATCH'))
  await expect.poll(() => server.seen.length).toBe(1)
  close()
  expect(await waiting).toBe(closed)

  isOpen = true
  closing = new AbortController()
  const slow = sender(() => {}, 100)
  expect(await reasonOf(slow('PATCH'))).toMatchObject({ code: 'kubernetes', retryable: true })
})
