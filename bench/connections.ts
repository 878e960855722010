import { alternate } from './alternate.ts'
import { echoPort, program } from './backend.ts'
import { familyTitle, type BenchBed } from './bench-bed.ts'
import { sides, type Pair } from './pair.ts'
import type { Row } from './section.ts'

/** The number of connections at a time. */
export const crowd = 32

type Connections = { readonly done: number; readonly failed: number; readonly elapsed: number }

/** New TCP connections through each side, one exchange each, as many as possible in `seconds`. */
export async function measureConnections(
  bed: BenchBed,
  pair: Pair,
  { repeats, seconds }: { repeats: number; seconds: number },
  note: (detail: string) => void,
): Promise<Row[]> {
  const took = await alternate(sides, repeats, async (side, repeat): Promise<Connections> => {
    note(`${side}, ${repeat + 1} of ${repeats}`)
    const settings = JSON.stringify({ to: pair.address[side], port: echoPort, crowd, seconds })
    const argv = [process.execPath, program('connect.ts'), settings]
    const { stdout } = await bed.host('client').exec(argv, { timeout: (seconds + 10) * 1000 })
    return JSON.parse(stdout) as Connections
  })
  const rate = (runs: readonly Connections[]): number[] => runs.map(({ done, elapsed }) => done / elapsed)
  const failed = (runs: readonly Connections[]): number[] => runs.map((run) => run.failed)
  const family = familyTitle[pair.family]
  const rows: Row[] = [
    { what: `TCP, ${family}`, unit: '1/s', better: 'more', ours: rate(took.ours), other: rate(took.upstream) },
  ]
  if ([...failed(took.ours), ...failed(took.upstream)].some((count) => count > 0)) {
    const counts = { ours: failed(took.ours), other: failed(took.upstream) }
    rows.push({ what: `TCP, ${family}, failed`, unit: 'connections', better: 'less', ...counts })
  }
  return rows
}
