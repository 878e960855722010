import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { data, headers as head, reset, sendFrames } from '../apiserver/http2-frames.ts'
import { header, output, RecorderBed } from './recorder-bed.ts'

let bed: RecorderBed
beforeEach(async () => {
  bed = await RecorderBed.start()
})
afterEach(() => bed[Symbol.asyncDispose]())

const cast = `${header()}${output(0.5, 'seen')}${output(1.25, 'too')}`

/** An upload by the first version of the protocol. */
async function uploadFirst(options: { readonly headers?: Record<string, string> } = {}) {
  const socket = await bed.open()
  const request = httpRequest({
    createConnection: () => socket,
    method: 'POST',
    path: '/record',
    headers: { Expect: '100-continue', 'Transfer-Encoding': 'chunked', ...options.headers },
  })
  request.on('error', () => {})
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  // The connection may be broken before.
  answered.catch(() => {})
  request.flushHeaders()
  return { socket, request, answered, proceeding: once(request, 'continue') }
}

describe('by version 2 of the protocol', () => {
  it('a recording is stored as it was sent, below the node that has uploaded it', async () => {
    const upload = await (await bed.upload()).begun()
    expect(upload.status).toBe(200)
    await upload.write(cast)
    expect((await upload.end()).at(-1)).toEqual({ ack: Buffer.byteLength(cast) })
    expect(bed.files).toEqual([expect.stringMatching(/^nLaptop\/\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z\.cast$/)])
    expect(bed.read(bed.files[0]!)).toBe(cast)
    await expect
      .poll(() => bed.printed)
      .toEqual([
        expect.objectContaining({ stage: 'began', node: 'laptop.lab.ts.net', who: 'alice@example.com' }),
        expect.objectContaining({ stage: 'ended', state: 'whole', bytes: Buffer.byteLength(cast), seconds: 1.25 }),
      ])
  })

  it('the recorder says at once that it is ready, and then what is stored, again and again', async () => {
    const upload = await (await bed.upload()).begun()
    await upload.write(header())
    await upload.stored(Buffer.byteLength(header()))
    expect(upload.frames[0]).toEqual({})
    const before = upload.frames.length
    // Nothing is sent, and it is still heard.
    await expect.poll(() => upload.frames.length).toBeGreaterThan(before)
    await upload.break()
  })

  it('only whole lines are reported as stored while more can come', async () => {
    const upload = await (await bed.upload()).begun()
    await upload.write(`${header()}[0.5,"o","se`)
    await upload.stored(Buffer.byteLength(header()))
    expect(upload.acknowledged).toBe(Buffer.byteLength(header()))
    await upload.write('en"]\n')
    await upload.stored(Buffer.byteLength(header() + output(0.5, 'seen')))
    await upload.break()
  })

  it('if the connection breaks, what was sent stays playable, and says that it was cut off', async () => {
    const upload = await (await bed.upload()).begun()
    await upload.write(`${cast}[2,"o","half`)
    await upload.stored(Buffer.byteLength(cast))
    await upload.break()
    expect(await bed.recording()).toEqual([
      ...cast.split('\n').slice(0, -1),
      '[1.25,"m","recording cut off: the connection broke"]',
    ])
    await expect
      .poll(() => bed.printed.at(-1))
      .toMatchObject({ stage: 'ended', state: 'cut', why: 'the connection broke' })
  })

  it.each([0, 8])('what is given up with the code %i, without an end, is cut off', async (code) => {
    const fields = [
      [':method', 'POST'],
      [':path', '/v2/record'],
      [':scheme', 'http'],
      [':authority', 'r'],
    ] as const
    const socket = await bed.open()
    await sendFrames(socket, [head(1, fields, true), data(1, cast, true)])
    await expect.poll(() => bed.files.map((file) => bed.read(file))).toEqual([cast])
    socket.write(reset(1, code))
    expect((await bed.recording()).at(-1)).toBe('[1.25,"m","recording cut off: the connection broke"]')
  })

  it('what does not begin as a recording is refused, and nothing is kept', async () => {
    const refusals: [string, RegExp][] = [
      ['no JSON\n', /does not begin with a header of asciicast/],
      ['[1,2]\n', /does not begin with a header of asciicast/],
      ['{"version":3}\n', /its version is 3/],
      ['{}\n', /its version is missing/],
      ['x'.repeat(2 * 1024 * 1024), /its first line has more than 1048576 bytes/],
    ]
    for (const [text, why] of refusals) {
      const upload = await (await bed.upload()).begun()
      void upload.write(text)
      expect((await upload.over()).at(-1)?.error).toMatch(why)
    }
    const brief = await (await bed.upload()).begun()
    void brief.write('no newline')
    expect((await brief.end()).at(-1)?.error).toMatch(/header of asciicast/)
    await expect.poll(() => bed.files).toEqual([])
  })

  it('a header of nearly 1 MiB, and lines of any length and any bytes, are kept as they are', async () => {
    const long = header({ command: 'x'.repeat(1024 * 1024 - 500) })
    const bytes = Buffer.concat([
      Buffer.from(long),
      Buffer.from(output(1, 'y'.repeat(3_000_000))),
      Buffer.from('[2,"o","'),
      Buffer.of(0xff, 0xfe, 0xc3),
      Buffer.from('"]\nno JSON\n'),
    ])
    const upload = await (await bed.upload()).begun()
    await upload.write(bytes)
    expect((await upload.end()).at(-1)).toEqual({ ack: bytes.length })
    const [file] = bed.files
    expect(Buffer.byteLength(bed.read(file!), 'utf8')).toBeGreaterThan(bytes.length - 1)
    await expect.poll(() => bed.printed.at(-1)).toMatchObject({ state: 'whole' })
  })

  it('of an upload without a byte nothing is kept', async () => {
    const ended = await (await bed.upload()).begun()
    expect((await ended.end()).filter(({ ack }) => ack !== undefined)).toEqual([])
    const broken = await (await bed.upload()).begun()
    await broken.break()
    await expect.poll(() => bed.printed.length).toBe(2)
    expect(bed.files).toEqual([])
  })

  it('one session given to two recordings at once is two recordings', async () => {
    const uploads = await Promise.all([bed.upload(), bed.upload()])
    for (const one of uploads) await one.write(cast)
    for (const one of uploads) expect((await one.end()).at(-1)).toEqual({ ack: Buffer.byteLength(cast) })
    expect(bed.files.map((file) => bed.read(file))).toEqual([cast, cast])
  })
})

describe('by version 1 of the protocol', () => {
  it('a recording is sent when the recorder is ready, and answered when it is stored', async () => {
    const { request, answered, proceeding } = await uploadFirst()
    await proceeding
    request.end(cast)
    const [response] = await answered
    expect(response.statusCode).toBe(200)
    expect(bed.files.map((file) => bed.read(file))).toEqual([cast])
  })

  it('if the connection breaks, what was sent stays playable', async () => {
    const { request, socket, proceeding } = await uploadFirst()
    await proceeding
    request.write(`${cast}[2,"o`)
    await expect.poll(() => bed.files.map((file) => bed.read(file).length)).toEqual([cast.length + 5])
    socket.destroy()
    expect((await bed.recording()).at(-1)).toContain('recording cut off')
  })

  it('if what is sent is no HTTP any more, what was sent before stays playable', async () => {
    const socket = await bed.open()
    const first = 'POST /record HTTP/1.1\r\nHost: recorder\r\nTransfer-Encoding: chunked\r\n\r\n'
    socket.write(`${first}${cast.length.toString(16)}\r\n${cast}\r\nno length\r\n`)
    expect((await bed.recording()).at(-1)).toContain('recording cut off')
  })

  it('what is no recording is refused with a status', async () => {
    const { request, answered, proceeding } = await uploadFirst()
    await proceeding
    request.end('nothing\n')
    const [response] = await answered
    expect(response.statusCode).toBe(400)
    expect(bed.files).toEqual([])
  })
})

it('the probe of version 2 needs HTTP/2, and says so', async () => {
  const session = await bed.openHttp2()
  const stream = session.request({ ':method': 'HEAD', ':path': '/v2/record' })
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  expect(headers[':status']).toBe(200)
  session.destroy()
  expect((await bed.ask({ method: 'HEAD', path: '/v2/record' })).status).toBe(426)
  const refusals = [
    ['POST', '/v2/record', 426, /use HTTP\/2/],
    ['GET', '/record', 405, /use POST/],
    ['GET', '/', 404, /nothing at this path/],
    ['POST', '/../etc/passwd', 404, /nothing at this path/],
  ] as const
  for (const [method, path, status, words] of refusals) {
    const answer = await bed.ask({ method, path })
    expect([answer.status, answer.body]).toEqual([status, expect.stringMatching(words)])
  }
})
