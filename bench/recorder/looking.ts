import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { limited } from '../../lib/limit.ts'
import { header, output } from '../../test/recorder/recorder-bed.ts'
import { WebBed } from '../../test/recorder/web/web-bed.ts'
import { processorTime } from '../egress/processor-time.ts'
import { memoryOf } from '../process-memory.ts'
import type { Row, Section } from '../section.ts'
import type { RecorderSize } from './recorder.ts'

/** What is asked for, again and again, so many times. */
const [asked, times] = [
  [
    ['the newest', '/'],
    ['those of one person', '/?who=user7@'],
    ['words of a command, of which there is one', '/?command=release+77777'],
    ['what is nowhere', '/?who=nobody&where=nowhere&command=nothing'],
    ['those of one day', '/?from=2026-03-01&to=2026-03-02'],
  ],
  20,
] as const

/** How soon recordings are found on the web page. */
export async function measureLooking(size: RecorderSize, note: (text: string) => void): Promise<Section> {
  note('write them')
  await using bed = await WebBed.start(async (directory) => {
    await fill(directory, size.recordings)
    return async () => {}
  })
  const { recorder } = bed
  note('read them')
  const began = performance.now()
  while ((await recorder.metric('culvert_recorder_stored')) !== size.recordings) await delay(100)
  const reading = (performance.now() - began) / 1000
  const rows: Row[] = []
  for (const [what, path] of asked) {
    note(what)
    const took: number[] = []
    const processor = processorTime(recorder.pid)
    for (let time = 0; time < times; time += 1) {
      const before = performance.now()
      const { status } = await bed.page(path)
      if (status !== 200) throw new Error(`the web page answers ${status}`)
      took.push(performance.now() - before)
    }
    const each = (processorTime(recorder.pid) - processor) / times
    const fixed = { unit: 'ms', better: 'less', other: [] } as const
    rows.push({ what, ours: took, ...fixed }, { what: '… processor time', ours: [each], ...fixed })
  }
  const { resident } = await memoryOf({ pid: recorder.pid, name: 'the recorder' })
  return {
    title: `Looking for one of ${size.recordings} recordings`,
    against: 'another',
    rows: [
      ...rows,
      { what: 'the index read from the directory again', unit: 's', better: 'less', ours: [reading], other: [] },
      { what: 'resident memory then', unit: 'MiB', better: 'less', ours: [resident], other: [] },
    ],
    note:
      'The whole answer of the web page, with its first fifty, over a new connection each time, as a device that may ' +
      `see all; of ${times} each. Recordings of some 300 bytes, in folders of 50 nodes.`,
  }
}

async function fill(directory: string, many: number): Promise<void> {
  const nodes = Array.from({ length: 50 }, (_, at) => join(directory, `nNode${at}`))
  await Promise.all(nodes.map((path) => mkdir(path)))
  const some = limited(16)
  const first = Date.UTC(2026, 0, 1)
  await Promise.all(
    Array.from({ length: many }, (_, at) =>
      some(async () => {
        const began = new Date(first + at * 60_000)
        const fields = {
          timestamp: began.getTime() / 1000,
          command: `deploy --release ${at} --to production`,
          srcNode: `laptop${at % 200}.lab.ts.net`,
          srcNodeUser: `user${at % 200}@example.com`,
          kubernetes: {
            PodName: `web-${at % 30}`,
            Namespace: `team${at % 12}`,
            Container: 'main',
            SessionType: 'exec',
          },
        }
        const name = `${began.toISOString().slice(0, -1)}000000Z.cast`
        await writeFile(join(nodes[at % nodes.length]!, name), header(fields) + output(1, 'done\r\n'))
      }),
    ),
  )
}
