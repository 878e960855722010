import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aWhois, granting } from './a-whois.ts'
import { auth, execPath, head, reading } from './asking.ts'
import { ProxyBed } from './proxy-bed.ts'
import { Recorder } from './recorder.ts'

let bed: ProxyBed
beforeAll(async () => {
  bed = await ProxyBed.start(auth)
})
afterAll(() => bed[Symbol.asyncDispose]())
let turn = 0
beforeEach(() => bed.upstream.reset())

const enforced = { enforceRecorder: true }

/** A peer of its own, whose requests these recorders are to get. */
function peer(recorders: readonly string[], rule: object = {}): string {
  turn += 1
  const capMap = granting({ recorderAddrs: recorders, enableEvents: true, ...rule })
  bed.tailscaled.whois = (address) => aWhois(address, { capMap })
  return `100.64.2.${turn}`
}
const targets = (): string[] => bed.upstream.forwards.map(({ target }) => target)

it('a request is recorded with its body before it goes on, and goes on as it is', async () => {
  await using recorder = await Recorder.start()
  const from = peer([recorder.address], enforced)
  bed.upstream.answer = (_forward, response) => void response.end(String(recorder.events.length))
  const path = '/apis/apps/v1/namespaces/n/deployments/d/scale?dryRun=All&dryRun=x'
  const headers = { 'content-type': 'application/json', 'user-agent': 'kubectl/1' }
  const answer = await bed.ask({ method: 'PATCH', path, headers, body: '{"a":"é"}', from })
  // When it came to the API server, the recorder had it.
  expect(answer).toMatchObject({ status: 200, body: '1' })
  expect(bed.upstream.forwards).toMatchObject([{ method: 'PATCH', target: path, body: '{"a":"é"}' }])
  expect(recorder.events).toMatchObject([
    {
      type: 'kubernetes-api-request',
      id: '',
      userAgent: 'kubectl/1',
      request: {
        method: 'PATCH',
        path,
        body: Buffer.from('{"a":"é"}').toString('base64'),
        queryParameters: { dryRun: ['All', 'x'] },
      },
      kubernetes: { IsResourceRequest: true, Verb: 'patch', APIGroup: 'apps', Resource: 'deployments', Name: 'd' },
      source: { node: 'laptop.lab.ts.net', nodeID: 'nLaptop', nodeUser: 'alice@example.com' },
      destination: { node: '', nodeID: '' },
    },
  ])
  expect(await bed.audited({ from, stage: 'ended' })).toMatchObject({ eventRecorder: recorder.address })
})

it('one recorder of several gets it, and gets the next ones without being asked first', async () => {
  await using silent = await Recorder.start()
  silent.statuses = { 'HEAD /v2/event': undefined }
  await using other = await Recorder.start()
  other.statuses = { 'HEAD /v2/event': 404 }
  await using good = await Recorder.start()
  const from = peer(['127.0.0.1:1', silent.address, other.address, good.address], enforced)
  for (const path of ['/api/v1/pods', '/api/v1/nodes', '/version']) {
    // oxlint-disable-next-line no-await-in-loop
    expect((await bed.ask({ path, from })).status).toBe(200)
  }
  expect(good.events.map(({ request }) => (request as { path: string }).path)).toEqual(targets())
  expect(good.asked).toEqual(['HEAD /v2/event', ...Array.from({ length: 3 }, () => 'POST /v2/event')])
  // It refuses what it took before: others are asked.
  await using second = await Recorder.start()
  good.statuses = { 'POST /v2/event': 500 }
  const again = peer([good.address, second.address], enforced)
  expect((await bed.ask({ from: again })).status).toBe(200)
  expect(second.events.length).toBe(1)
})

describe.each<[string, (recorder: Recorder) => void]>([
  ['knows no events', (recorder) => (recorder.statuses = { 'HEAD /v2/event': 404 })],
  ['does not store it', (recorder) => (recorder.statuses = { 'POST /v2/event': 507 })],
  ['has gone', (recorder) => void recorder[Symbol.asyncDispose]()],
])('if the recorder %s', (_what, spoil) => {
  it('what must be recorded is not done', async () => {
    const recorder = await Recorder.start()
    const { address } = recorder
    spoil(recorder)
    const from = peer([address], enforced)
    const answer = await bed.ask({ method: 'POST', path: '/api/v1/namespaces', body: '{}', from })
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.body)).toMatchObject({ kind: 'Status', reason: 'ServiceUnavailable' })
    expect(targets()).toEqual([])
    expect(await bed.audited({ from, stage: 'ended' })).toMatchObject({ refused: 'recorder' })
    await recorder[Symbol.asyncDispose]().catch(() => {})
  })

  it('other requests go on, which the audit says', async () => {
    const recorder = await Recorder.start()
    const { address } = recorder
    spoil(recorder)
    const from = peer([address])
    const answer = await bed.ask({ method: 'POST', path: '/api/v1/namespaces', body: '{"x":1}', from })
    expect(answer.status).toBe(200)
    expect(bed.upstream.forwards).toMatchObject([{ body: '{"x":1}' }])
    expect(await bed.audited({ from, stage: 'ended' })).toMatchObject({ eventUnrecorded: expect.any(String) })
    await recorder[Symbol.asyncDispose]().catch(() => {})
  })
})

it('a body that is too large to be recorded is refused where it must be, and goes on whole where it need not be', async () => {
  await using recorder = await Recorder.start()
  const body = 'x'.repeat(4 * 1024 * 1024)
  const must = await bed.ask({ method: 'POST', path: '/api', body, from: peer([recorder.address], enforced) })
  expect([must.status, targets(), recorder.events]).toEqual([413, [], []])
  const may = await bed.ask({ method: 'POST', path: '/api', body, from: peer([recorder.address]) })
  expect(may.status).toBe(200)
  expect(bed.upstream.forwards[0]?.body === body).toBe(true)
  expect(recorder.events).toEqual([])
})

it('a body that is sent when it is asked for is recorded, too', async () => {
  await using recorder = await Recorder.start()
  const socket = await bed.open(peer([recorder.address], enforced))
  const headers = { expect: '100-continue', 'content-length': 4 }
  const request = httpRequest({ createConnection: () => socket, method: 'POST', path: '/api', headers })
  request.on('continue', () => request.end('late'))
  request.flushHeaders()
  const status = await new Promise((resolve) => request.on('response', (response) => resolve(response.statusCode)))
  expect([status, bed.upstream.forwards[0]?.body]).toEqual([200, 'late'])
  expect(recorder.events.length).toBe(1)
})

it('of a session the request is recorded, too', async () => {
  await using recorder = await Recorder.start()
  recorder.statuses = { 'POST /v2/event': 500 }
  const socket = await bed.open(peer([recorder.address], enforced))
  const client = reading(socket)
  socket.write(head(`POST ${execPath}`, 'Connection: Upgrade', 'Upgrade: SPDY/3.1'))
  await client.until('no recorder takes it')
  expect([targets(), recorder.recordings]).toEqual([[], []])
})

it('a request that breaks off in its body is neither recorded nor done', async () => {
  await using recorder = await Recorder.start()
  const from = peer([recorder.address], enforced)
  const socket = await bed.open(from)
  socket.write(head('POST /api', 'Content-Length: 9').concat('part'))
  await expect.poll(() => bed.tailscaled.asked.some((one) => one.startsWith(`${from} `))).toBe(true)
  socket.destroy()
  await bed.audited({ from, stage: 'ended' })
  expect([targets(), recorder.events]).toEqual([[], []])
})

it('requests that were recorded, and those that were not, are counted', async () => {
  const { body } = await bed.probe('/metrics')
  expect(body).toMatch(/culvert_apiserver_events_total\{result="failed"\} [1-9]/)
  expect(body).toMatch(/culvert_apiserver_events_total\{result="recorded"\} [1-9]/)
})
