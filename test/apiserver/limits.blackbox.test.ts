import { once } from 'node:events'
import { connect } from 'node:http2'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { auth, head, reading, watchPath } from './asking.ts'
import { headers, reset, sendFrames } from './http2-frames.ts'
import { ProxyBed } from './proxy-bed.ts'

let bed: ProxyBed
beforeAll(async () => {
  bed = await ProxyBed.start({ ...auth, CULVERT_APISERVER_PEER_LIMIT: '2' })
  bed.upstream.answer = ({ target }, response) => {
    if (target === watchPath) response.writeHead(200).write('event')
    else response.end('done')
  }
})
afterAll(() => bed[Symbol.asyncDispose]())

it('a device with too many requests open is told to ask later, and others are served', async () => {
  const [one, other] = ['100.64.0.1', '100.64.0.2']
  const socket = await bed.open(one)
  const session = connect('http://kube', { createConnection: () => socket })
  const ask = async (path: string) => {
    const stream = session.request({ ':path': path })
    const [answer] = (await once(stream, 'response')) as [Record<string, string>]
    return { stream, status: answer[':status'], retryAfter: answer['retry-after'] }
  }
  const watches = [await ask(watchPath), await ask(watchPath)]
  const refused = await ask('/api')
  expect(refused).toMatchObject({ status: 429, retryAfter: '1' })
  expect(JSON.parse(await text(refused.stream))).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', code: 429 })
  expect((await bed.ask({ from: other })).body).toBe('done')
  watches[0]!.stream.close()
  await bed.audited({ from: one, verb: 'watch', stage: 'ended' })
  expect((await ask('/api')).status).toBe(200)
  session.destroy()
  expect((await bed.probe('/metrics')).body).toContain('culvert_apiserver_refused_total{reason="limit"} 1')
})

it('a request that waits for the answer to another one ends with their connection', async () => {
  const from = '100.64.0.5'
  const socket = await bed.open(from)
  const client = reading(socket)
  socket.write(head(`GET ${watchPath}`) + head('GET /waits'))
  await client.until('event')
  await expect.poll(() => bed.upstream.forwards.some(({ target }) => target === '/waits')).toBe(true)
  socket.destroy()
  await bed.audited({ from, path: '/waits', stage: 'ended' })
})

it('requests of HTTP/2 that are given up as they come do not stay open', async () => {
  const from = '100.64.0.6'
  const socket = await bed.open(from)
  const asked = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', 'kube'],
    [':path', '/given-up'],
  ] as const
  const cancel = 8
  await sendFrames(
    socket,
    [1, 3, 5, 7].flatMap((stream) => [headers(stream, asked), reset(stream, cancel)]),
  )
  await expect.poll(async () => (await bed.ask({ from })).status).toBe(200)
  socket.destroy()
})

it('a device with too many connections gets no more, and others do', async () => {
  const [one, other] = ['100.64.0.3', '100.64.0.4']
  const kept = [await bed.open(one), await bed.open(one)]
  for (const socket of kept) {
    const client = reading(socket)
    socket.write(head('GET /api'))
    // oxlint-disable-next-line no-await-in-loop
    await client.until('done')
  }
  const third = await bed.open(one)
  await once(third.resume(), 'close')
  expect(await bed.audited({ from: one, refused: 'limit' })).not.toHaveProperty('status')
  expect((await bed.ask({ from: other })).body).toBe('done')
  for (const socket of kept) socket.destroy()
  await expect.poll(async () => (await bed.ask({ from: one }).catch(() => undefined))?.body).toBe('done')
})
