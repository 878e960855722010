import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { askForSession, attach, holdSessions } from './a-session.ts'
import { auth, execPath } from './asking.ts'
import { ProxyBed } from './proxy-bed.ts'
import { Recorder } from './recorder.ts'
import { message } from './recording/frames.ts'
import { wires } from './recording/wires.ts'

const { webSocket, spdy } = wires

let bed: ProxyBed
/** The API server's ends of sessions that have begun. */
let containers: Duplex[]
beforeAll(async () => {
  bed = await ProxyBed.start(auth)
})
afterAll(() => bed[Symbol.asyncDispose]())
let turn = 0
beforeEach(() => {
  turn += 1
  bed.upstream.reset()
  containers = holdSessions(bed)
})

/** A session of a peer of its own, to whom these recorders apply. */
const begin = (recorders: readonly string[], rule: object, request = attach()) =>
  askForSession(bed, {
    from: `100.64.1.${turn}`,
    capability: { recorderAddrs: recorders, ...rule },
    request,
    containers,
  })

const enforced = { enforceRecorder: true }
const webSocketOutput = (text: string): Buffer => webSocket.output(text)

it.each([
  [webSocket, 2],
  [webSocket, 1],
  [spdy, 2],
  [spdy, 1],
] as const)('over %s, at a recorder of version %i, a session is recorded as it appears', async (wire, version) => {
  await using recorder = await Recorder.start(version)
  const begun = await begin([recorder.address], enforced, attach(wire))
  const { socket, client, closed, container, ended } = begun
  const server = await container()
  const { opening, caller, its } = await wire.connection()
  socket.write(opening)
  if (opening.length > 0) await once(server, 'data')
  expect(bed.upstream.forwards[0]?.headers.join().toLowerCase()).not.toContain('sec-websocket-extensions')
  socket.write(caller('resize', '{"Width":100,"Height":30}\n'))
  await once(server, 'data')
  socket.write(caller('stdin', 'typed secret'))
  await once(server, 'data')
  const euro = Buffer.from('€')
  server.write(its('stdout', Buffer.concat([Buffer.from('out '), euro.subarray(0, 1)])))
  server.write(its('stderr', 'err'))
  server.write(its('stdout', euro.subarray(1)))
  await client.until('err')
  socket.write(caller('resize', '{"Width":20,"Height":10}\n'))
  await once(server, 'data')
  server.end(its('error', '{"status":"Success"}'))
  await closed
  const [header, ...events] = await recorder.whole()
  expect(header).toMatchObject({
    version: 2,
    width: 100,
    height: 30,
    command: 'sh',
    srcNode: 'laptop.lab.ts.net',
    kubernetes: { PodName: 'b', Namespace: 'a', SessionType: 'exec' },
  })
  const texts = (events as [number, string, string][]).map(([, kind, text]) => `${kind} ${text}`)
  expect(texts).toEqual(expect.arrayContaining(['o out ', 'o err', 'o €', 'r 20x10']))
  expect(texts.join()).not.toContain('secret')
  expect(await ended()).toMatchObject({ recorder: recorder.address, status: 101 })
})

describe('if no recorder takes it', () => {
  const refusals: [string, (recorder: Recorder) => void][] = [
    ['it refuses', (recorder) => (recorder.statuses = { 'POST /v2/record': 503 })],
    ['it knows no version', (recorder) => (recorder.statuses = { 'HEAD /v2/record': 404, 'POST /record': 405 })],
  ]
  it.each(refusals)('%s: what must be recorded does not begin, and other sessions go on', async (_what, spoil) => {
    await using recorder = await Recorder.start()
    spoil(recorder)
    const must = await begin([recorder.address], enforced)
    await must.client.until('no recorder takes it')
    expect(must.client.text()).toMatch(/^HTTP\/1\.1 503 /)
    expect(await must.ended()).toMatchObject({ refused: 'recorder' })
    expect(bed.upstream.forwards).toEqual([])
    turn += 50
    const may = await begin([recorder.address], {})
    const server = await may.container()
    server.end(webSocketOutput('shown'))
    await may.client.until('shown')
    expect(await may.ended()).toMatchObject({ unrecorded: expect.stringContaining('status') })
  })

  it('nobody listens: what must be recorded does not begin', async () => {
    const { client } = await begin(['127.0.0.1:1', 'nonsense'], enforced)
    await client.until('no recorder takes it')
    expect(bed.upstream.forwards).toEqual([])
  })
})

it('the first recorder that answers takes it, whatever the others do', async () => {
  await using silent = await Recorder.start()
  silent.statuses = { 'HEAD /v2/record': undefined }
  await using refusing = await Recorder.start()
  refusing.statuses = { 'POST /v2/record': 503 }
  await using good = await Recorder.start()
  const addresses = ['127.0.0.1:1', silent.address, refusing.address, good.address]
  const { client, container, ended } = await begin(addresses, enforced)
  const server = await container()
  server.end(webSocketOutput('shown'))
  await client.until('shown')
  expect(await good.whole()).toMatchObject([{ version: 2 }, [expect.any(Number), 'o', 'shown']])
  expect(await ended()).toMatchObject({ recorder: good.address })
})

describe('if the recording breaks off', () => {
  const faults: [string, (recorder: Recorder) => void][] = [
    ['the connection breaks', (recorder) => recorder.die()],
    ['the recorder ends it', (recorder) => recorder.recordings[0]!.stream.end()],
    ['the recorder reports an error', (recorder) => recorder.recordings[0]!.stream.end('{"error":"the disk is full"}')],
  ]
  it.each(faults)('%s: a session that must be recorded ends', async (_what, spoil) => {
    await using recorder = await Recorder.start()
    const { closed, container, ended } = await begin([recorder.address], enforced)
    const server = await container()
    const far = once(server.resume(), 'close')
    spoil(recorder)
    await closed
    await far
    expect(await ended()).toMatchObject({
      recorder: recorder.address,
      unrecorded: expect.stringContaining('recorder'),
      cut: expect.stringContaining('the recording broke off'),
    })
  })

  it.each(faults)('%s: another session goes on, which the audit says', async (_what, spoil) => {
    await using recorder = await Recorder.start()
    const { from, client, container, ended } = await begin([recorder.address], {})
    const server = await container()
    spoil(recorder)
    expect(await bed.audited({ from, stage: 'unrecorded' })).toMatchObject({ recorder: recorder.address })
    server.end(webSocketOutput('shown'))
    await client.until('shown')
    expect(await ended()).toMatchObject({ unrecorded: expect.stringContaining('recorder') })
  })
})

it('a session is not faster than its recorder', async () => {
  await using recorder = await Recorder.start()
  recorder.isReading = false
  const { socket, container } = await begin([recorder.address], enforced)
  const server = await container()
  let shown = 0
  socket.on('data', (some: Buffer) => (shown += some.length))
  const chunk = webSocketOutput('x'.repeat(100_000))
  // Much more than all buffers in between have; then it waits.
  for (let sent = 0; sent < 200; sent += 1) server.write(chunk)
  await expect.poll(() => recorder.recordings.length).toBe(1)
  const { stream } = recorder.recordings[0]!
  await once(stream, 'readable')
  expect(shown).toBeLessThan(5_000_000)
  stream.resume()
  await expect.poll(() => shown).toBeGreaterThan(200 * 100_000)
  socket.destroy()
})

it('what the container had printed when it ended is shown, however late it is recorded', async () => {
  await using recorder = await Recorder.start()
  recorder.isReading = false
  const { client, closed, container } = await begin([recorder.address], enforced)
  const server = await container()
  const ended = once(server, 'close')
  const last = message(3, '{"status":"Success"}')
  // More than may be on its way to the recorder at once.
  server.end(Buffer.concat([message(1, 'x'.repeat(200_000)), last]), () => server.destroy())
  await ended
  await expect.poll(() => recorder.recordings.length).toBe(1)
  recorder.recordings[0]!.stream.resume()
  await closed
  expect(client.text()).toContain('{"status":"Success"}')
})

it('a recorder that never answers is not waited for without end', async () => {
  const silent = createServer((socket) => void socket.on('error', () => {}).resume())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { client } = await begin([`127.0.0.1:${(silent.address() as AddressInfo).port}`], enforced)
  await client.until('no recorder takes it')
  expect(bed.upstream.forwards).toEqual([])
  silent.close()
})

it('what cannot be recorded does not begin where it must be', async () => {
  await using recorder = await Recorder.start()
  const spellings = [`/${execPath}`, '/api/v1/namespaces/a/pods/b/%65xec']
  const forward = attach(spdy, '/api/v1/namespaces/a/pods/b/portforward')
  for (const request of [...spellings.flatMap((path) => [attach(webSocket, path), attach(spdy, path)]), forward]) {
    turn += 1
    const { client } = await begin([recorder.address], enforced, request)
    await client.until('cannot be done with this one')
    expect(client.text()).toMatch(/^HTTP\/1\.1 403 /)
  }
  expect([bed.upstream.forwards, recorder.asked]).toEqual([[], []])
})

it('what cannot be recorded goes on where it need not be, which the audit says', async () => {
  const request = attach(spdy, '/api/v1/namespaces/a/pods/b/portforward')
  const { client, container, ended } = await begin(['127.0.0.1:1'], {}, request)
  const server = await container()
  server.end('shown')
  await client.until('shown')
  expect(await ended()).toMatchObject({ unrecorded: 'the proxy cannot record sessions of this kind' })
})

it('sessions that were recorded, and those that were not, are counted', async () => {
  const { body } = await bed.probe('/metrics')
  expect(body).toMatch(/culvert_apiserver_recordings_total\{result="failed"\} [1-9]/)
  expect(body).toMatch(/culvert_apiserver_recordings_total\{result="recorded"\} [1-9]/)
})
