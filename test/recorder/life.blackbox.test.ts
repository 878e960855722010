import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { known } from './killed.ts'
import { header, output, RecorderBed } from './recorder-bed.ts'

const cast = `${header()}${output(1, 'seen')}`

/** Puts a file among the recordings, as another recorder has left it, last written to so many hours ago. */
function leave(bed: RecorderBed, file: string, text: string, hours = 0): void {
  const path = join(bed.directory, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  const then = Date.now() / 1000 - hours * 3600
  utimesSync(path, then, then)
}

describe('after SIGTERM', () => {
  it('open recordings go on for a while, and new ones are refused', async () => {
    await using bed = await RecorderBed.start({ CULVERT_RECORDER_DRAIN: '10m' })
    const upload = await (await bed.upload()).begun()
    const other = await bed.openHttp2()
    await upload.write(header())
    const ended = bed.end('SIGTERM')
    await bed.logged(/received SIGTERM/)
    expect((await bed.probe('/readyz')).body).toContain('shutting down')
    const refused = await (await bed.upload()).begun()
    await refused.over()
    expect([refused.status, refused.text]).toEqual([503, 'culvert: the recorder is shutting down\n'])
    await upload.write(output(1, 'seen'))
    expect((await upload.end()).at(-1)).toEqual({ ack: Buffer.byteLength(cast) })
    expect(await ended).toBe(0)
    expect(bed.files.map((file) => bed.read(file))).toEqual([cast])
    other.destroy()
  })

  it('open recordings that do not end are cut off, and their uploaders learn why', async () => {
    await using bed = await RecorderBed.start({ CULVERT_RECORDER_DRAIN: '1ms' })
    const upload = await (await bed.upload()).begun()
    await upload.write(cast)
    await upload.stored(Buffer.byteLength(cast))
    expect(await bed.end('SIGTERM')).toBe(0)
    expect((await upload.over()).at(-1)).toEqual({ error: 'the recorder is shutting down' })
    expect((await bed.recording()).at(-1)).toBe('[1,"m","recording cut off: the recorder is shutting down"]')
  })
})

it('recordings of another recorder are found when it starts, whatever their names, and unfinished ones are finished', async () => {
  await using bed = await RecorderBed.start()
  expect(await bed.end('SIGTERM')).toBe(0)
  leave(bed, 'nOther/2024-01-02T03-04-05.cast', cast)
  leave(bed, 'nOther/x.cast', cast)
  leave(bed, 'nOther/notes.txt', 'no recording')
  leave(bed, 'nA/2026-11-30T12:00:00.000000000Z.cast.part', `${cast}[2,"o","ha`)
  leave(bed, 'nA/2026-11-30T12:00:00.000000001Z.cast.part', '{"vers')
  leave(bed, 'nA/2026-11-30T12:00:00.000000002Z.cast.taken', cast)
  await bed.run()
  await bed.logged(/finished 2 recordings that were broken off/)
  await known(bed, 4)
  expect(bed.files).toEqual([
    'nA/2026-11-30T12:00:00.000000000Z.cast',
    'nA/2026-11-30T12:00:00.000000002Z.cast',
    'nOther/2024-01-02T03-04-05.cast',
    'nOther/notes.txt',
    'nOther/x.cast',
  ])
  expect(bed.read(bed.files[0]!)).toBe(`${cast}[1,"m","recording cut off: the recorder ended before it"]\n`)
})

it('what is too old is removed, and no more of what is too much than needed', async () => {
  await using bed = await RecorderBed.start({ CULVERT_RECORDER_KEEP: '48h', CULVERT_RECORDER_MAX_SIZE: '300' })
  await bed.end('SIGTERM')
  leave(bed, 'nA/old.cast', cast, 50)
  leave(bed, 'events/nA/2020/01/01/old.json', '{}', 50)
  leave(bed, 'nA/notes.txt', 'x'.repeat(1000), 5000)
  leave(bed, 'nA/young.cast', 'x'.repeat(100), 5)
  leave(bed, 'nA/younger.cast', 'x'.repeat(100), 3)
  leave(bed, 'nA/youngest.cast', 'x'.repeat(150), 1)
  await bed.run()
  await bed.logged(/removed 3 recordings and events from before/)
  expect(bed.files).toEqual(['nA/notes.txt', 'nA/younger.cast', 'nA/youngest.cast'])
  await known(bed, 2)
  expect(await bed.metric('culvert_recorder_stored_bytes')).toBe(250)
  expect(await bed.metric('culvert_recorder_removed_total')).toBe(3)
})

it('a recording that becomes larger than allowed is cut off', async () => {
  await using bed = await RecorderBed.start({ CULVERT_RECORDER_MAX_SESSION_SIZE: '1Ki' })
  const upload = await (await bed.upload()).begun()
  await upload.write(cast)
  await upload.write(output(2, 'x'.repeat(2000)))
  expect((await upload.over()).at(-1)?.error).toMatch(/more than 1024 bytes/)
  const [, , last] = await bed.recording()
  expect(last).toMatch(/^\[1,"m","recording cut off: the recording has more than 1024 bytes/)
})

it('it is not ready while tailscaled does not answer, and takes nothing then', async () => {
  await using bed = await RecorderBed.start()
  await expect.poll(async () => (await bed.probe('/readyz')).status).toBe(200)
  await bed.tailscaled[Symbol.asyncDispose]()
  await expect.poll(async () => (await bed.probe('/readyz')).body).toMatch(/^tailscaled: /)
  expect(await bed.metric('culvert_recorder_ready{part="tailscaled"}')).toBe(0)
  expect((await bed.probe('/livez')).status).toBe(200)
  const upload = await (await bed.upload()).begun()
  await upload.over()
  expect([upload.status, upload.text]).toEqual([503, 'culvert: who this device is cannot be found out\n'])
})

it('without PROXY headers, whoever connects is who tailscaled says', async () => {
  await using bed = await RecorderBed.start({ CULVERT_RECORDER_PROXY_PROTOCOL: 'false' })
  const upload = await (await bed.uploadBare()).begun()
  await upload.write(cast)
  expect((await upload.end()).at(-1)).toEqual({ ack: Buffer.byteLength(cast) })
  expect(bed.tailscaled.asked).toEqual(['127.0.0.1 tcp'])
})

it('an uploader that sends nothing keeps no other from uploading', async () => {
  await using bed = await RecorderBed.start()
  const silent = await Promise.all(Array.from({ length: 50 }, () => bed.upload()))
  await Promise.all(silent.map((one) => one.begun()))
  expect(await bed.metric('culvert_recorder_open')).toBe(50)
  const upload = await (await bed.upload()).begun()
  await upload.write(cast)
  expect((await upload.end()).at(-1)).toEqual({ ack: Buffer.byteLength(cast) })
  await Promise.all(silent.map((one) => one.break()))
  await expect.poll(() => bed.metric('culvert_recorder_open')).toBe(0)
  expect(bed.files).toHaveLength(1)
})
