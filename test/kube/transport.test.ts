import { createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kubeClient } from '../../kube/client.ts'
import { describe as inWords } from '../../lib/errors.ts'
import { ApiServer, json, reasonOf, secretJson, statusJson } from './api-server.ts'

let server: ApiServer
const never = new AbortController().signal
const secret = secretJson('a', '1')
beforeEach(async () => {
  server = await ApiServer.start()
})
afterEach(() => server[Symbol.asyncDispose]())

describe('the token', () => {
  it('is read again after a 401', async () => {
    server.answer = ({ headers }, response) => {
      if (headers.authorization === 'Bearer second') return json(response, secret)
      server.write({ token: 'second\n' })
      return json(response, statusJson(401, 'Unauthorized', 'Unauthorized'), 401)
    }
    expect(await server.client().getSecret('a', never)).toMatchObject({ name: 'a' })
    expect(server.seen).toHaveLength(2)
  })

  it('is tried twice at most', async () => {
    server.answer = (_seen, response) => json(response, statusJson(401, 'Unauthorized', 'Unauthorized'), 401)
    await expect(server.client().patchSecret('a', new Map(), never)).rejects.toMatchObject({
      message: 'patch of Secret "a" in namespace "ts" was refused: 401 Unauthorized',
      remedy: expect.stringMatching(/token/),
      status: 401,
    })
    expect(server.seen).toHaveLength(2)
  })

  it('is read at each call', async () => {
    server.answer = (_seen, response) => json(response, secret)
    const client = server.client()
    await client.getSecret('a', never)
    server.write({ token: 'rotated' })
    await client.getSecret('a', never)
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer first-token', 'Bearer rotated'])
  })
})

it('a server that switches protocols is refused at once', async () => {
  server.answer = (_seen, response) => {
    response.socket?.end('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  }
  await expect(server.client().getSecret('a', never)).rejects.toMatchObject({ code: 'kubernetes', retryable: true })
})

describe('a busy API server', () => {
  it.each([429, 503])('is retried at the time that it names (%i)', async (status) => {
    server.answer = (_seen, response) =>
      server.seen.length < 4 ? json(response, {}, status, { 'Retry-After': '0' }) : json(response, secret)
    expect(await server.client().getSecret('a', never)).toMatchObject({ name: 'a' })
    expect(server.seen).toHaveLength(4)
  })

  it('is sent a request four times at most', async () => {
    server.answer = (_seen, response) => json(response, {}, 429, { 'Retry-After': '0' })
    await expect(server.client().getSecret('a', never)).rejects.toMatchObject({ status: 429, retryable: true })
    expect(server.seen).toHaveLength(4)
  })

  it('is waited for', async () => {
    server.answer = (_seen, response) =>
      server.seen.length < 2 ? json(response, {}, 503, { 'Retry-After': '1' }) : json(response, secret)
    const began = performance.now()
    await server.client().getSecret('a', never)
    expect(performance.now() - began).toBeGreaterThan(950)
  })

  it('is not waited for beyond the time limit of the call, nor after its end', async () => {
    server.answer = (_seen, response) => json(response, {}, 429, { 'Retry-After': '5' })
    await expect(server.client(4000).getSecret('a', never)).rejects.toMatchObject({ status: 429 })
    const end = new AbortController()
    const called = reasonOf(server.client().getSecret('a', end.signal))
    await expect.poll(() => server.seen.length).toBe(2)
    await new Promise((resolve) => setTimeout(resolve, 100))
    end.abort()
    expect(await called).toMatchObject({ code: 'kubernetes' })
    // Neither request was sent again.
    expect(server.seen).toHaveLength(2)
  })
})

it.each([200, 500])('an endless answer is aborted (%i)', async (status) => {
  let sent = 0
  server.answer = (_seen, response) => {
    response.writeHead(status)
    const more = (): void => {
      sent += 1
      if (!response.destroyed) response.write(Buffer.alloc(1024 * 1024, 'x'), more)
    }
    more()
  }
  const error = inWords(await reasonOf(server.client().getSecret('a', never)))
  expect(error).toContain(status === 200 ? 'the answer is larger than 4194304 bytes' : 'failed: 500')
  await expect.poll(() => server.open()).toBe(0)
  expect(sent).toBeLessThan(20)
})

it.each([1, 2])('a patch with %i conflicts is sent twice at most', async (conflicts) => {
  server.answer = (_seen, response) =>
    server.seen.length <= conflicts ? json(response, statusJson(409, 'Conflict', 'x'), 409) : json(response, secret)
  const patched = server.client().patchSecret('a', new Map(), never)
  if (conflicts === 1) await expect(patched).resolves.toMatchObject({ name: 'a' })
  else await expect(patched).rejects.toMatchObject({ status: 409, reason: 'Conflict', retryable: false })
  expect(server.seen).toHaveLength(2)
})

describe('the time of a call', () => {
  it.each<[string, () => void]>([
    ['no answer', () => (server.answer = () => {})],
    ['half an answer', () => (server.answer = (_seen, response) => response.write('{"data"'))],
    [
      'an answer in small pieces',
      () =>
        (server.answer = (_seen, response) => {
          const timer = setInterval(() => response.write(' '), 20)
          response.on('close', () => clearInterval(timer))
        }),
    ],
  ])('is limited: %s', async (_name, prepare) => {
    prepare()
    const error = await reasonOf(server.client(200).getSecret('a', never))
    expect(error).toMatchObject({ code: 'kubernetes', retryable: true })
    expect(inWords(error)).toMatch(/^get of Secret "a" in namespace "ts" failed: no answer within 0.2 s. Check that/)
    await expect.poll(() => server.open()).toBe(0)
  })

  it('is limited for the body of an error, whose status is kept', async () => {
    server.answer = (_seen, response) => response.writeHead(500).write('{')
    await expect(server.client(2000).getSecret('a', never)).rejects.toMatchObject({ status: 500 })
  })

  it('is limited when the connection is not accepted', async () => {
    const sockets = new Set<Socket>()
    const mute = createServer((socket) => sockets.add(socket))
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const { port } = mute.address() as { port: number }
    const client = kubeClient({ ...server.cluster, port: String(port) }, 200)
    expect(inWords(await reasonOf(client.getSecret('a', never)))).toContain('no answer within 0.2 s')
    for (const socket of sockets) socket.destroy()
    mute.close()
  })

  it('ends when the caller aborts', async () => {
    const stop = new AbortController()
    server.answer = () => stop.abort(new Error('the Pod ends'))
    const error = await reasonOf(server.client().getSecret('a', stop.signal))
    expect(inWords(error)).toContain('failed: the Pod ends')
    await expect(server.client().getSecret('a', stop.signal)).rejects.toMatchObject({ code: 'kubernetes' })
    expect(server.seen).toHaveLength(1)
  })
})
