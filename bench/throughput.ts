import { setTimeout as delay } from 'node:timers/promises'
import type { Host } from '../test/lab/hosts/host.ts'
import { alternate } from './alternate.ts'
import { familyTitle, type BenchBed } from './bench-bed.ts'
import { sides, type Pair } from './pair.ts'
import type { Row } from './section.ts'

export const directions = [
  { title: 'client → backend', flags: [] },
  { title: 'backend → client', flags: ['--reverse'] },
] as const

/** Seconds at the start of each run that are not counted. */
export const omitted = 1

/** One TCP stream through each side, in both directions, for `seconds` each. */
export async function measureThroughput(
  bed: BenchBed,
  pair: Pair,
  { repeats, seconds }: { repeats: number; seconds: number },
  note: (detail: string) => void,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const { title, flags } of directions) {
    const took = await alternate(sides, repeats, async (side, repeat) => {
      note(`${title}, ${side}, ${repeat + 1} of ${repeats}`)
      return await stream(bed.host('client'), pair.address[side], seconds, flags)
    })
    const what = `${title}, ${familyTitle[pair.family]}`
    rows.push({ what, unit: 'Mb/s', better: 'more', ours: took.ours, other: took.upstream })
  }
  return rows
}

type IperfReport = { readonly end: { readonly sum_received?: { readonly bits_per_second: number } } }

/** Megabits per second, as the receiver saw them, of one TCP stream from a host to an iperf3. */
export async function stream(from: Host, to: string, seconds: number, flags: readonly string[]): Promise<number> {
  const argv = ['iperf3', '--client', to, '--json', `--time=${seconds}`, `--omit=${omitted}`, ...flags]
  const timeout = (seconds + omitted + 10) * 1000
  for (let attempt = 1; ; attempt += 1) {
    const { stdout, exitCode } = await from.exec(argv, { timeout, check: false })
    // Some of its failures have exit code 0.
    const received = exitCode === 0 ? (JSON.parse(stdout) as IperfReport).end.sum_received : undefined
    if (received !== undefined) return received.bits_per_second / 1e6
    // The server accepts one client at a time, and needs a moment between two.
    if (attempt === 3 || !stdout.includes('busy')) throw new Error(`iperf3 to ${to}: ${stdout}`)
    await delay(500)
  }
}
