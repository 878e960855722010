import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../../lab/poll.ts'
import { known, randomFrom, uploadAndKill } from '../killed.ts'
import { header, output } from '../recorder-bed.ts'
import { type Fault, someFaults } from './gateway.ts'
import { aRecording, record, S3Bed } from './s3-bed.ts'
import { S3Server } from './s3-server.ts'

let server: S3Server
beforeAll(async () => {
  server = await S3Server.start()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Too much for one request. */
const large = `${header()}${output(1, 'x'.repeat(1_000_000)).repeat(20)}`

const put = /^PUT /

it.concurrent('recordings and events are stored in S3 and found again', async () => {
  await using bed = await S3Bed.start(server)
  const { recorder } = bed
  await record(recorder)
  const sent = await recorder.ask({ method: 'POST', path: '/v2/event' }, '{"kubernetes":{}}')
  expect(sent.status).toBe(200)
  expect((await bed.kept()).includes(aRecording)).toBe(true)
  expect(recorder.files).toEqual([
    expect.stringMatching(/^events\/nLaptop\/.*\.json$/),
    expect.stringMatching(/^nLaptop\/.*Z\.cast$/),
  ])
  expect(await recorder.metric('culvert_recorder_s3_uploads_total')).toBe(2)
  expect(await recorder.end('SIGTERM')).toBe(0)
  await recorder.run()
  await known(recorder, 1)
})

it.concurrent('what is too old is removed', async () => {
  await using bed = await S3Bed.start(server, { env: { CULVERT_RECORDER_KEEP: '48h' } })
  const { recorder } = bed
  for (const text of [aRecording, `${aRecording}${output(2, 'young')}`]) await record(recorder, text)
  await recorder.settled()
  const old = recorder.files.find((file) => recorder.read(file) === aRecording)!
  const then = Date.now() / 1000 - 50 * 3600
  utimesSync(join(recorder.directory, old), then, then)
  expect(await recorder.end('SIGTERM')).toBe(0)
  await recorder.run()
  await recorder.logged(/removed 1 recordings and events from before/)
  await known(recorder, 1)
  expect(await bed.kept()).toEqual([`${aRecording}${output(2, 'young')}`])
})

it.concurrent('while S3 is away, recordings are taken, reported as stored, and survive; they are in S3 when it is back', async () => {
  await using bed = await S3Bed.start(server)
  const { recorder, gateway } = bed
  gateway.fail('away')
  await record(recorder)
  const cut = await (await recorder.upload()).begun()
  await cut.write(aRecording)
  await cut.stored(Buffer.byteLength(aRecording))
  await recorder.logged(/nothing can be stored in S3: .*See to the network/)
  expect((await recorder.probe('/readyz')).status).toBe(200)
  expect(await recorder.metric('culvert_recorder_spool')).toBe(1)
  expect(await recorder.metric('culvert_recorder_spool_bytes')).toBe(2 * Buffer.byteLength(aRecording))
  expect(await recorder.metric('culvert_recorder_s3_lag_seconds')).toBeGreaterThan(0)
  await recorder.end('SIGKILL')
  await cut.break()
  await recorder.run()
  expect(await recorder.metric('culvert_recorder_spool')).toBe(2)
  gateway.recover()
  expect((await bed.kept()).toSorted()).toEqual(
    [aRecording, `${aRecording}[1,"m","recording cut off: the recorder ended before it"]\n`].toSorted(),
  )
})

describe.concurrent('a recording comes to S3 as it is, if S3', () => {
  it.each<[string, Fault, RegExp, string]>([
    ['asks to slow down', { status: 503, code: 'SlowDown' }, put, 'busy'],
    ['breaks the connection', 'away', put, 'unreachable'],
    ['does not answer', 'unanswered', put, 'unreachable'],
    ['answers with a wrong ETag', 'other-etag', put, 'mismatch'],
    ['answers something else', { status: 400, code: 'Nonsense' }, put, 'refused'],
    ['has not kept it', { status: 404, code: 'NoSuchKey' }, /^HEAD .*cast/, 'mismatch'],
    ['takes the credentials back', { status: 400, code: 'ExpiredToken' }, put, 'credentials'],
    ['forbids it', { status: 403, code: 'AccessDenied' }, put, 'denied'],
  ])('%s', async (_what, fault, which, reason) => {
    await using bed = await S3Bed.start(server)
    bed.gateway.fail(fault, which)
    await record(bed.recorder)
    await bed.failed(reason)
    bed.gateway.recover()
    expect(await bed.kept()).toEqual([aRecording])
  })

  it('answers with a wrong ETag for a part of it', async () => {
    await using bed = await S3Bed.start(server)
    bed.gateway.fail('other-etag', /partNumber=2/)
    await record(bed.recorder, large)
    await bed.failed('mismatch')
    bed.gateway.recover()
    expect(await bed.kept()).toEqual([large])
    expect(await bed.unfinished()).toEqual([])
  })

  it('is slow, and the recorder is killed in the middle of it', async () => {
    await using bed = await S3Bed.start(server)
    const { recorder, gateway } = bed
    gateway.fail('held', /partNumber=2/)
    await record(recorder, large)
    await bed.asked(/partNumber=2/)
    await recorder.end('SIGKILL')
    gateway.recover()
    expect(await bed.unfinished()).toHaveLength(1)
    await recorder.run()
    expect(await bed.kept()).toEqual([large])
    expect(await bed.unfinished()).toEqual([])
  })
})

it.concurrent('a recorder that is killed has lost nothing of what it reported as stored', async () => {
  await using bed = await S3Bed.start(server)
  const random = randomFrom(7)
  bed.gateway.failBy(someFaults(random))
  const recover = (): void => bed.gateway.recover()
  await uploadAndKill(bed.recorder, { many: 8, ms: 1500, isStored: true, isHurried: true, random, recover })
  expect(bed.recorder.spooled).toEqual([])
})

it.concurrent('without its bucket it is not ready and says so, but takes recordings, which are stored once there is one', async () => {
  await using bed = await S3Bed.start(server, { bucket: 'missing' })
  const { recorder } = bed
  await recorder.logged(/nothing can be stored in S3: .*NoSuchBucket.*See to the bucket/)
  expect(await recorder.probe('/readyz')).toMatchObject({ status: 503, body: expect.stringContaining('NoSuchBucket') })
  expect(await recorder.metric('culvert_recorder_ready{part="s3"}')).toBe(0)
  await record(recorder)
  await bed.makeBucket()
  await recorder.logged(/S3 takes what is stored there/)
  expect(await bed.kept()).toEqual([aRecording])
  expect((await recorder.probe('/readyz')).status).toBe(200)
})

it.concurrent('when the spool is full, recordings end with an error, and new ones are refused until there is room', async () => {
  await using bed = await S3Bed.start(server, { env: { CULVERT_RECORDER_SPOOL_SIZE: '32Mi' } })
  const { recorder, gateway } = bed
  gateway.fail('away')
  const upload = await (await recorder.upload()).begun()
  await upload.write(header())
  const line = output(1, 'x'.repeat(1_000_000))
  const writing = (async () => {
    for (let at = 0; at < 50; at += 1) await upload.write(line)
  })()
  expect((await upload.over()).at(-1)).toEqual({ error: 'the recorder has no room left' })
  await writing
  await recorder.logged(/storage: there is no room left/)
  expect((await recorder.probe('/readyz')).body).toContain('there is no room left')
  const refused = await (await recorder.upload()).begun()
  await refused.over()
  expect([refused.status, refused.text]).toEqual([507, 'culvert: the recorder has no room left\n'])
  gateway.recover()
  const [text = ''] = await bed.kept()
  expect(text.split('\n').at(-2)).toBe('[1,"m","recording cut off: the recorder has no room left"]')
  expect(text.length).toBeGreaterThanOrEqual(upload.acknowledged)
  await recorder.logged(/storage: as it should be[^]*no room left[^]*storage: as it should be/)
  expect((await recorder.probe('/readyz')).status).toBe(200)
  await record(recorder)
})

describe.concurrent('after SIGTERM', () => {
  it('what is still to be uploaded is uploaded', async () => {
    await using bed = await S3Bed.start(server, { env: { CULVERT_RECORDER_DRAIN: '10m' } })
    const { recorder, gateway } = bed
    gateway.fail('held', put)
    await record(recorder)
    await bed.asked(put)
    const ended = recorder.end('SIGTERM')
    await recorder.logged(/received SIGTERM/)
    gateway.recover()
    expect(await ended).toBe(0)
    expect([recorder.spooled, recorder.files.map((file) => recorder.read(file))]).toEqual([[], [aRecording]])
  })

  it('it says what it could not upload in time', async () => {
    await using bed = await S3Bed.start(server, { env: { CULVERT_RECORDER_DRAIN: '1ms' } })
    const { recorder, gateway } = bed
    gateway.fail('away')
    await record(recorder)
    expect(await recorder.end('SIGTERM')).toBe(0)
    await poll(
      'a line of the log',
      () => recorder.log.includes('error: 1 recordings and events are not in S3 yet') || undefined,
    )
    expect(recorder.spooled).toHaveLength(1)
  })
})
