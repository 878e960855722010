import { execa } from 'execa'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { header, output, RecorderBed } from './recorder-bed.ts'

test('on a full disk, recordings end with an error and stay playable, and new ones are refused until there is room', async () => {
  await using bed = await RecorderBed.start({}, async (directory) => {
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory])
    return () => execa('umount', ['--lazy', directory])
  })
  const upload = await (await bed.upload()).begun()
  await upload.write(header())
  await upload.stored(Buffer.byteLength(header()))
  const line = output(1, 'x'.repeat(100_000))
  const writing = (async () => {
    for (let at = 0; at < 300; at += 1) await upload.write(line)
  })()
  writing.catch(() => {})
  const frames = await upload.over()
  expect(frames.at(-1)).toEqual({ error: 'the recorder has no room left' })
  const lines = await bed.recording()
  for (const one of lines) expect(() => JSON.parse(one) as unknown).not.toThrow()
  expect(lines.at(-1)).toContain('recording cut off: the recorder has no room left')
  expect(Buffer.byteLength(`${lines.slice(0, -1).join('\n')}\n`)).toBeGreaterThanOrEqual(upload.acknowledged)

  await expect.poll(async () => (await bed.probe('/readyz')).body).toContain('there is no room left')
  expect(await bed.metric('culvert_recorder_ready{part="storage"}')).toBe(0)
  const refused = await (await bed.upload()).begun()
  await refused.over()
  expect([refused.status, refused.text]).toEqual([507, 'culvert: the recorder has no room left\n'])
  expect(await bed.metric('culvert_recorder_failures_total{reason="storage"}')).toBe(2)

  const folder = join(bed.directory, 'nLaptop')
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  await expect.poll(async () => (await bed.probe('/readyz')).status).toBe(200)
  const after = await (await bed.upload()).begun()
  await after.write(header())
  expect((await after.end()).at(-1)).toEqual({ ack: Buffer.byteLength(header()) })
})
