import { setTimeout as delay } from 'node:timers/promises'
import { header, output, RecorderBed } from '../../test/recorder/recorder-bed.ts'
import type { Uploading } from '../../test/recorder/uploading.ts'
import { processorTime } from '../egress/processor-time.ts'
import { memoryOf } from '../process-memory.ts'
import type { Row, Section } from '../section.ts'
import type { RecorderSize } from './recorder.ts'

/** Sessions that send as much as they can, and what they write at once. */
const [flooding, chunk] = [8, output(1, 'x'.repeat(60_000))]
/** What a session shows in a second. */
const usual = output(1, 'x'.repeat(80))

type Measured = Readonly<Record<'perCore' | 'memory' | 'bytes' | 'perGigabyte', number>>

/** How many sessions the recorder bears, and how much they may send. */
export async function measureUploads(size: RecorderSize, note: (text: string) => void): Promise<Section> {
  const all: Measured[] = []
  for (let repeat = 0; repeat < size.repeats; repeat += 1) {
    note(`${repeat + 1} of ${size.repeats}`)
    all.push({ ...(await manySessions(size)), ...(await flood(size)) })
  }
  const row = (what: string, unit: string, better: Row['better'], pick: (one: Measured) => number): Row => ({
    what,
    unit,
    better,
    ours: all.map(pick),
    other: [],
  })
  return {
    title: 'Sessions at the recorder',
    against: 'another',
    rows: [
      row('what one core is enough for', 'sessions', 'more', ({ perCore }) => perCore),
      row('resident memory of a session', 'KiB', 'less', ({ memory }) => memory),
      row(`${flooding} sessions that send as much as they can`, 'MB/s', 'more', ({ bytes }) => bytes),
      row('processor time for a gigabyte', 's', 'less', ({ perGigabyte }) => perGigabyte),
    ],
    note:
      `As a process beside a scripted tailscaled, into a directory. ${size.sessions} sessions at once that show a line ` +
      `of 80 characters each second, for ${size.seconds} s; then ${flooding} that write 60 kB at once, all of which ` +
      'is reported as stored in the end. The uploaders, which need more processor time than the recorder, are on the same machine. That ' +
      '1,000 sessions at once lose no byte is a test (test/recorder/many.long.test.ts).',
  }
}

async function begin(bed: RecorderBed, many: number): Promise<Uploading[]> {
  return Promise.all(
    Array.from({ length: many }, async (_, at) => {
      const upload = await (await bed.upload(`100.64.${at >> 8}.${at & 255}`)).begun()
      await upload.write(header())
      return upload
    }),
  )
}

async function manySessions({ sessions, seconds }: RecorderSize) {
  await using bed = await RecorderBed.start()
  const named = { pid: bed.pid, name: 'the recorder' }
  const empty = await memoryOf(named)
  const uploads = await begin(bed, sessions)
  const [began, before] = [performance.now(), processorTime(bed.pid)]
  for (let second = 0; second < seconds; second += 1) {
    const next = began + (second + 1) * 1000
    await Promise.all(uploads.map((upload) => upload.write(usual)))
    await delay(Math.max(0, next - performance.now()))
  }
  const share = (processorTime(bed.pid) - before) / (performance.now() - began)
  const full = await memoryOf(named)
  await Promise.all(uploads.map((upload) => upload.end()))
  return { perCore: Math.round(sessions / share), memory: ((full.resident - empty.resident) * 1024) / sessions }
}

async function flood({ seconds }: RecorderSize) {
  await using bed = await RecorderBed.start()
  const uploads = await begin(bed, flooding)
  const [began, before] = [performance.now(), processorTime(bed.pid)]
  const sent = await Promise.all(
    uploads.map(async (upload) => {
      let bytes = 0
      for (; performance.now() - began < seconds * 1000; bytes += chunk.length) await upload.write(chunk)
      await upload.end()
      return bytes
    }),
  )
  const megabytes = sent.reduce((sum, bytes) => sum + bytes, 0) / 1e6
  const processor = (processorTime(bed.pid) - before) / 1000
  return { bytes: megabytes / ((performance.now() - began) / 1000), perGigabyte: (processor / megabytes) * 1000 }
}
