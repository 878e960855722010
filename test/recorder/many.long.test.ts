import { expect, it } from 'vitest'
import { anUpload } from './an-upload.ts'
import { randomFrom } from './killed.ts'
import { header, output, RecorderBed } from './recorder-bed.ts'

it('a thousand sessions at once lose no byte', async () => {
  await using bed = await RecorderBed.start()
  const many = 1000
  const sent = await Promise.all(
    Array.from({ length: many }, async (_, at) => {
      const random = randomFrom(at)
      const upload = await (await bed.upload(`100.64.${at % 7}.${at % 250}`)).begun()
      let text = header({ command: `session ${at}` })
      await upload.write(text)
      for (let turn = 0; turn < 50; turn += 1) {
        const line = output(turn, String.fromCharCode(97 + (turn % 26)).repeat(random() * 2000))
        text += line
        await upload.write(line)
      }
      const frames = await upload.end()
      expect(frames.at(-1)).toEqual({ ack: Buffer.byteLength(text) })
      return text
    }),
  )
  const kept = new Set(bed.files.map((file) => bed.read(file)))
  expect(kept).toEqual(new Set(sent))
})

it('a session of 10 GB is kept as it was sent, in little memory', async () => {
  await using bed = await RecorderBed.start()
  const upload = await (await bed.upload()).begun()
  await upload.write(header())
  const line = output(1, 'x'.repeat(1_000_000))
  for (let turn = 0; turn < 10_000; turn += 1) await upload.write(line)
  const bytes = header().length + 10_000 * line.length
  expect((await upload.end()).at(-1)).toEqual({ ack: bytes })
  const { readFileSync, statSync } = await import('node:fs')
  expect(statSync(`${bed.directory}/${bed.files[0]}`).size).toBe(bytes)
  const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${bed.pid}/status`, 'utf8')) ?? []
  expect(Number(peak)).toBeLessThan(400 * 1024)
})

it('an uploader of a session of a week is heard, and hears, to its end', async () => {
  const { clock, state, request, acknowledged, received } = await anUpload()
  request.push(header())
  const hours = 7 * 24
  for (let hour = 0; hour < hours; hour += 1) {
    request.push(output(hour * 3600, `hour ${hour}`))
    await clock.advance(3_600_000)
  }
  const times = acknowledged.map(([at]) => at)
  expect(Math.max(...times.slice(1).map((at, index) => at - times[index]!))).toBeLessThanOrEqual(5)
  expect(times.at(-1)).toBeGreaterThan(hours * 3600 - 6)
  expect(acknowledged.at(-1)?.[1]).toBe(state.survives)
  request.complete = true
  request.push(null)
  await expect(received).resolves.toBeUndefined()
  expect(clock.pending).toBe(0)
})
