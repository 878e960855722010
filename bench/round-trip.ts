import { alternate } from './alternate.ts'
import { echoPort, program } from './backend.ts'
import { familyTitle, type BenchBed } from './bench-bed.ts'
import { sides, type Pair } from './pair.ts'
import type { Row } from './section.ts'
import { quantile } from './stats.ts'

const protocols = ['tcp', 'udp'] as const
/** Of a message, without headers. */
export const bytes = 64

/** Milliseconds of each round trip, and how many messages never came back. */
type PingPong = { readonly times: readonly number[]; readonly lost: number }

/** One small message after the other over an established connection, through each side. */
export async function measureRoundTrips(
  bed: BenchBed,
  pair: Pair,
  { repeats, seconds }: { repeats: number; seconds: number },
  note: (detail: string) => void,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const protocol of protocols) {
    const took = await alternate(sides, repeats, async (side, repeat): Promise<PingPong> => {
      note(`${protocol}, ${side}, ${repeat + 1} of ${repeats}`)
      const settings = JSON.stringify({ protocol, to: pair.address[side], port: echoPort, bytes, seconds })
      const argv = [process.execPath, program('ping-pong.ts'), settings]
      const { stdout } = await bed.host('client').exec(argv, { timeout: (seconds + 10) * 1000 })
      return JSON.parse(stdout) as PingPong
    })
    const who = `${protocol.toUpperCase()}, ${familyTitle[pair.family]}`
    const times = { unit: 'µs', better: 'less' } as const
    for (const [title, share] of [
      ['median', 0.5],
      ['p99', 0.99],
    ] as const) {
      const of = (runs: readonly PingPong[]): number[] => runs.map((run) => quantile(run.times, share) * 1000)
      rows.push({ what: `${who}, ${title}`, ...times, ours: of(took.ours), other: of(took.upstream) })
    }
    const lost = (runs: readonly PingPong[]): number[] => runs.map((run) => run.lost)
    if ([...lost(took.ours), ...lost(took.upstream)].some((count) => count > 0)) {
      const counts = { ours: lost(took.ours), other: lost(took.upstream) }
      rows.push({ what: `${who}, lost`, unit: 'messages', better: 'less', ...counts })
    }
  }
  return rows
}
