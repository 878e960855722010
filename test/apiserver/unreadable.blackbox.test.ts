import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { askForSession, attach, holdSessions } from './a-session.ts'
import { auth } from './asking.ts'
import { ProxyBed } from './proxy-bed.ts'
import { Recorder } from './recorder.ts'
import { HeaderFrames } from './recording/spdy-frames.ts'
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
const begin = (recorders: readonly string[], rule: object, request: string) =>
  askForSession(bed, {
    from: `100.64.3.${turn}`,
    capability: { recorderAddrs: recorders, ...rule },
    request,
    containers,
  })

const enforced = { enforceRecorder: true }

it.each([webSocket, spdy])('over %s, a session ends when it must be recorded and cannot be read', async (wire) => {
  await using recorder = await Recorder.start()
  const { client, closed, container } = await begin([recorder.address], enforced, attach(wire))
  const server = await container()
  server.write(Buffer.from('no frames, but a secret'))
  await closed
  expect(client.text()).not.toContain('secret')
})

it('over SPDY, nothing reaches the container of what could be understood in two ways', async () => {
  await using recorder = await Recorder.start()
  const { socket, closed, container, ended } = await begin([recorder.address], enforced, attach(spdy))
  const server = await container()
  const got: Buffer[] = []
  server.on('data', (some: Buffer) => got.push(some))
  const frames = new HeaderFrames()
  const ambiguous = await frames.open(1, ['streamtype', 'stdin'], ['streamtype', 'stdout'])
  socket.write(ambiguous)
  await closed
  expect(await ended()).toMatchObject({ unrecorded: 'the session is not as documented' })
  expect(got).toEqual([])
})

it('over SPDY, another session goes on unrecorded if it cannot be read', async () => {
  await using recorder = await Recorder.start()
  const { from, client, container, ended } = await begin([recorder.address], {}, attach(spdy))
  const server = await container()
  server.write('no frame, but')
  expect(await bed.audited({ from, stage: 'unrecorded' })).toMatchObject({ recorder: recorder.address })
  server.end(' shown')
  await client.until('no frame, but shown')
  expect(await ended()).toMatchObject({ unrecorded: 'the session is not as documented' })
})
