import { mkdtempSync, rmSync } from 'node:fs'
import type { RequestListener, Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../lib/clock.ts'
import { close, listen, serve } from '../../../lib/http-server.ts'
import { scrape } from '../../../agent/endpoints/scrape.ts'
import { localApi } from '../../../localapi/client.ts'
import { aWorld } from '../a-world.ts'
import { patience } from '../../lab/patience.ts'
import { ask, onLoopback } from '../../lib/http-servers.ts'

let folder: string
let daemon: Server
let answer: RequestListener
let front: { server: Server; address: string }
/** Serves metrics; tailscaled may take this long for its own. */
const startFront = (timeoutMs: number) => {
  const sources = {
    observed: { world: aWorld, since: () => undefined },
    version: '1.2.3',
    startTime: 5,
    figures: async () => ({}),
  }
  const api = localApi(join(folder, 's'))
  return onLoopback(serve({ '/metrics': scrape({ ...sources, clock: systemClock, timeoutMs, api }) }))
}
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  daemon = await listen((request, response) => answer(request, response), { path: join(folder, 's') })
  front = await startFront(patience)
})
afterEach(async () => {
  await Promise.all([close(front.server), close(daemon)])
  rmSync(folder, { recursive: true })
})

const type = 'text/plain; version=0.0.4; charset=utf-8'

it('returns the agent’s metrics followed by tailscaled’s, whatever the headers of the request', async () => {
  answer = ({ url, headers }, response) => {
    // As LocalAPI does.
    if (headers.origin !== undefined || headers.referer !== undefined) response.writeHead(403).end()
    else response.end(`# TYPE tailscaled_x counter\ntailscaled_x{path="${url}"} 1\n\n`)
  }
  const headers = { origin: 'http://o', referer: 'http://r', accept: 'application/openmetrics-text' }
  const { status, headers: got, body } = await ask(front.address, '/metrics', { headers })
  expect(status).toBe(200)
  expect(got['content-type']).toBe(type)
  expect(body).toContain('culvert_build_info{version="1.2.3"} 1\n')
  expect(body).toMatch(
    /^culvert_tailscaled_up 1\n[^]*# TYPE tailscaled_x counter\ntailscaled_x\{path="\/localapi\/v0\/usermetrics"\} 1\n$/m,
  )
  expect(await ask(front.address, '/metrics', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
})

const onlyOwn = {
  status: 200,
  headers: { 'content-type': type },
  body: expect.stringMatching(/^culvert_tailscaled_up 0\n[^]*culvert_tailscaled_restarts_total 0\n$/m) as string,
}

it.each<[string, RequestListener]>([
  ['refuses', (_request, response) => response.writeHead(500).end('# TYPE x counter')],
  [
    'breaks off',
    (_request, response) => response.writeHead(200, { 'content-length': '9' }).write('x', () => response.destroy()),
  ],
  ['sends more than the limit', (_request, response) => response.end(Buffer.alloc(20 * 1024 * 1024, 'x'))],
])('returns only its own metrics when tailscaled %s', async (_name, behaviour) => {
  answer = behaviour
  expect(await ask(front.address, '/metrics')).toMatchObject(onlyOwn)
})

it('returns only its own metrics when tailscaled does not answer in time', async () => {
  answer = () => {}
  const impatient = await startFront(10)
  expect(await ask(impatient.address, '/metrics')).toMatchObject(onlyOwn)
  await close(impatient.server)
})

it('sends one request to tailscaled for simultaneous scrapes, and another for the next', async () => {
  const all = 20
  let asked = 0
  let waiting = 0
  const everybody = Promise.withResolvers<void>()
  front.server.on('request', () => {
    waiting += 1
    if (waiting === all) everybody.resolve()
  })
  answer = (_request, response) => {
    asked += 1
    const body = `x ${asked}\n`
    void everybody.promise.then(() => response.end(body))
  }
  const replies = await Promise.all(Array.from({ length: all }, () => ask(front.address, '/metrics')))
  for (const { body } of replies) expect(body).toMatch(/\nx 1\n$/)
  expect((await ask(front.address, '/metrics')).body).toMatch(/\nx 2\n$/)
})
