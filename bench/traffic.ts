import type { Progress } from '../test/lab/progress.ts'
import { startBackend } from './backend.ts'
import { families, familyTitle, type BenchBed } from './bench-bed.ts'
import { crowd, measureConnections } from './connections.ts'
import type { Contestant, ContestantName } from './contestant.ts'
import { Pair } from './pair.ts'
import { bytes, measureRoundTrips } from './round-trip.ts'
import type { Row, Section } from './section.ts'
import type { Size } from './size.ts'
import { measureThroughput } from './throughput.ts'

/** The number of progress steps of `measureTraffic`. */
export const trafficSteps = 4 * families.length

/** All measurements with packets, one family after the other, with ours and upstream's running side by side. */
export async function measureTraffic(
  bed: BenchBed,
  all: Readonly<Record<ContestantName, Contestant>>,
  size: Size,
  steps: Progress,
): Promise<Section[]> {
  const [throughput, roundTrips, connections]: [Row[], Row[], Row[]] = [[], [], []]
  await startBackend(bed)
  for (const family of families) {
    const title = familyTitle[family]
    await using pair = await steps.step(`start both for ${title}`, () => Pair.start(bed, all, family))
    const rows = await steps.step(`throughput, ${title}`, (note) => measureThroughput(bed, pair, size.throughput, note))
    throughput.push(...rows)
    roundTrips.push(
      ...(await steps.step(`round trips, ${title}`, (note) => measureRoundTrips(bed, pair, size.roundTrips, note))),
    )
    connections.push(
      ...(await steps.step(`connections, ${title}`, (note) => measureConnections(bed, pair, size.connections, note))),
    )
  }
  const path = 'client → proxy → backend, with a direct tunnel from client to proxy over IPv4'
  return [
    {
      title: 'Forwarded TCP throughput',
      against: 'upstream',
      rows: throughput,
      note: `iperf3, one stream, ${size.throughput.seconds} s after a warm-up of one second; ${path}.`,
    },
    {
      title: 'Round trip over an established connection',
      against: 'upstream',
      rows: roundTrips,
      note: `Messages of ${bytes} bytes, one at a time for ${size.roundTrips.seconds} s, the first tenth not counted; ${path}.`,
    },
    {
      title: 'New connections',
      against: 'upstream',
      rows: connections,
      note: `Each sends one byte and gets it back, ${crowd} at a time, for ${size.connections.seconds} s; ${path}.`,
    },
  ]
}
