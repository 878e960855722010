import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LocalApi, localApi, type TaggedApi } from '../../localapi/client.ts'

let folder: string
let server: Server
let api: LocalApi & TaggedApi
let answer: RequestListener
const never = new AbortController().signal

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  server = createServer((request, response) => answer(request, response))
  await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve))
  api = localApi(join(folder, 's'))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

describe('get', () => {
  it('sends the headers that LocalAPI requires', async () => {
    answer = ({ url, headers }, response) =>
      response.end(JSON.stringify({ url, host: headers.host, origin: headers.origin, referer: headers.referer }))
    expect(JSON.parse(await api.get('status?peers=false', never))).toEqual({
      url: '/localapi/v0/status?peers=false',
      host: 'local-tailscaled.sock',
    })
  })

  it.each<[number, string, RegExp]>([
    [403, 'access denied\n', /LocalAPI status failed$/],
    [500, '{"error":"no netmap"}', /LocalAPI status failed$/],
    [400, '{"Error":"bad prefs"}', /LocalAPI status failed$/],
  ])('reports %i %s', async (status, body, message) => {
    answer = (_request, response) => response.writeHead(status).end(body)
    const words = body.includes('{') ? Object.values(JSON.parse(body) as object)[0] : body.trim()
    await expect(api.get('status?secret=1', never)).rejects.toMatchObject({
      code: 'localapi',
      silent: false,
      message: expect.stringMatching(message),
      cause: expect.objectContaining({ message: `${status}: ${words}` }),
    })
  })

  it('keeps the status, text and Retry-After of a refusal', async () => {
    answer = (_request, response) => response.writeHead(429, { 'Retry-After': '17' }).end('too many\n')
    await expect(api.get('cert/a.ts.net', never)).rejects.toMatchObject({
      refusal: { status: 429, words: 'too many', retryAfter: '17' },
    })
  })

  it('tells the capability version of each answer', async () => {
    const told: number[] = []
    const telling = localApi(join(folder, 's'), (capability) => told.push(capability))
    answer = (_request, response) => response.writeHead(200, { 'Tailscale-Cap': '148' }).end()
    await telling.get('status', never)
    answer = (_request, response) => response.writeHead(403, { 'Tailscale-Cap': '113' }).end()
    await expect(telling.get('status', never)).rejects.toThrow()
    answer = (_request, response) => response.writeHead(200, { 'Tailscale-Cap': 'new' }).end()
    await telling.get('status', never)
    expect(told).toEqual([148, 113])
  })

  it('reads the serve config with its ETag, and writes only if that still matches', async () => {
    answer = (request, response) => {
      const { method, headers } = request
      void request
        .toArray()
        .then((body) =>
          response.writeHead(200, { ETag: 'abc' }).end(JSON.stringify([method, headers['if-match'], String(body)])),
        )
    }
    expect(await api.getTagged('serve-config', never)).toEqual({ text: '["GET",null,""]', etag: 'abc' })
    let asked: unknown
    answer = ({ method, headers }, response) => {
      asked = [method, headers['if-match']]
      response.writeHead(412).end('etag mismatch')
    }
    await expect(api.replace('serve-config', {}, 'abc', never)).rejects.toMatchObject({ refusal: { status: 412 } })
    expect(asked).toEqual(['POST', 'abc'])
    answer = ({ headers }, response) => {
      asked = headers['if-match']
      response.end()
    }
    await api.replace('serve-config', {}, '', never)
    expect(asked).toBe(undefined)
  })

  it('half-closes at the time limit, so that tailscaled says why it gives up', async () => {
    Object.assign(server, { httpAllowHalfOpen: true })
    answer = ({ socket }, response) =>
      socket.on('end', () => response.writeHead(429, { 'Retry-After': '17' }).end('held up'))
    // Also if the caller has given up when the connection opens.
    for (const limitMs of [50, 0]) {
      await expect(api.get('cert/a.ts.net', never, limitMs, { halfClose: true })).rejects.toMatchObject({
        silent: false,
        refusal: { status: 429, words: 'held up', retryAfter: '17' },
      })
    }
    await expect(api.get('cert/a.ts.net', AbortSignal.timeout(100), 50)).rejects.toMatchObject({ silent: true })
  })

  it('has a time limit for the head, and for the body', async () => {
    const tooLate = {
      code: 'localapi',
      silent: true,
      cause: expect.objectContaining({ message: 'no answer within 0.05 s' }),
    }
    answer = () => {}
    await expect(api.get('status', never, 50)).rejects.toMatchObject(tooLate)
    await expect(api.stream('watch-ipn-bus', never, 50)).rejects.toMatchObject(tooLate)
    answer = (_request, response) => response.write('{')
    await expect(api.get('status', never, 50)).rejects.toMatchObject(tooLate)
  })

  it('distinguishes a dropped connection from a timeout', async () => {
    answer = (request) => request.socket.destroy()
    await expect(api.get('status', never)).rejects.toMatchObject({ code: 'localapi', silent: false })
  })

  it('has a time limit for a server that switches protocols', async () => {
    answer = (request) => request.socket.end('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    await expect(api.get('status', never, 50)).rejects.toMatchObject({ code: 'localapi' })
    await expect(api.stream('watch-ipn-bus', never, 50)).rejects.toMatchObject({ code: 'localapi' })
  })

  it('reports that nothing listens', async () => {
    await expect(localApi(join(folder, 'absent')).get('status', never)).rejects.toMatchObject({
      silent: true,
      cause: expect.objectContaining({ code: 'ENOENT' }),
    })
  })
})

describe('stream', () => {
  it('has no time limit once its head has come', async () => {
    answer = (_request, response) => {
      response.write('a')
      setTimeout(() => response.end('b'), 2200)
    }
    // So long that a busy machine does not exceed it.
    const chunks = await Array.fromAsync(await api.stream('watch-ipn-bus', never, 2000))
    expect(Buffer.concat(chunks).toString()).toBe('ab')
  })

  it('ends when it is aborted', async () => {
    answer = (_request, response) => response.write('a')
    const stop = new AbortController()
    const stream = await api.stream('watch-ipn-bus', stop.signal)
    setTimeout(() => stop.abort(), 50)
    await expect(Array.fromAsync(stream)).rejects.toThrow()
  })
})
