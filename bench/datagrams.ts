import { alternate } from './alternate.ts'
import { echoPort, program } from './backend.ts'
import { familyTitle, type BenchBed } from './bench-bed.ts'
import { sides, type Pair } from './pair.ts'
import { bytes } from './round-trip.ts'
import type { Row } from './section.ts'

/** The number of datagrams at a time. */
export const window = 32

type Datagrams = { readonly answered: number; readonly lost: number; readonly elapsed: number }

/** Small datagrams through each side and back, as many as possible in `seconds`. */
export async function measureDatagrams(
  bed: BenchBed,
  pair: Pair,
  { repeats, seconds }: { repeats: number; seconds: number },
  note: (detail: string) => void,
): Promise<Row[]> {
  const took = await alternate(sides, repeats, async (side, repeat): Promise<Datagrams> => {
    note(`${side}, ${repeat + 1} of ${repeats}`)
    const settings = JSON.stringify({ to: pair.address[side], port: echoPort, bytes, window, seconds })
    const argv = [process.execPath, program('datagrams.ts'), settings]
    const { stdout } = await bed.host('client').exec(argv, { timeout: (seconds + 10) * 1000 })
    return JSON.parse(stdout) as Datagrams
  })
  const rate = (runs: readonly Datagrams[]): number[] => runs.map(({ answered, elapsed }) => answered / elapsed)
  const lost = (runs: readonly Datagrams[]): number[] =>
    runs.map((run) => (100 * run.lost) / Math.max(1, run.answered + run.lost))
  const what = `UDP, ${familyTitle[pair.family]}`
  const rows: Row[] = [{ what, unit: '1/s', better: 'more', ours: rate(took.ours), other: rate(took.upstream) }]
  const shares = { ours: lost(took.ours), other: lost(took.upstream) }
  if ([...shares.ours, ...shares.other].some((share) => share > 0)) {
    rows.push({ what: `${what}, lost`, unit: '%', better: 'less', ...shares })
  }
  return rows
}
