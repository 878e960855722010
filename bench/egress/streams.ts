import { alternate } from '../alternate.ts'
import { type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { stream } from '../throughput.ts'
import { counts, title } from './packets.ts'
import { podAddress } from './replica.ts'
import type { PacketSetup } from './rules.ts'
import { firstPort, service, targetPort } from './services.ts'

export type StreamsSize = { readonly repeats: number; readonly seconds: number }

/** The number of connections at a time. */
const crowd = 16

/** Throughput of one connection, and new connections, through both sides' rules for this many services. */
export async function measureStreams(
  setup: PacketSetup,
  size: StreamsSize,
  note: (detail: string) => void,
): Promise<Section[]> {
  const { seconds } = size
  const [streams, connections]: [Row[], Row[]] = [[], []]
  for (const count of counts) {
    note(title(count))
    for (const side of sides) await setup.load(side, count, 'tcp')
    connections.push(await connectionsThrough(setup, count, size))
    const row = await streamThrough(setup, count, size)
    streams.push({ ...row, ...(count === counts.at(-1) && { goal: 4 }) })
  }
  return [
    {
      title: 'TCP throughput through the rules',
      against: 'upstream',
      rows: streams,
      chart: 'throughput',
      note: `iperf3, one stream, ${seconds} s after a warm-up of one second, to a service in the middle of the list.`,
    },
    {
      title: 'New connections through the rules',
      against: 'upstream',
      rows: connections,
      chart: 'connections',
      note: `Each sends one byte and gets it back, ${crowd} at a time, for ${seconds} s, to all services in turn.`,
    },
  ]
}

async function connectionsThrough(
  { bed, probe }: PacketSetup,
  count: number,
  { repeats, seconds }: StreamsSize,
): Promise<Row> {
  const echo = await probe.serve(bed.host('peer'), targetPort, false)
  const took = await alternate(sides, repeats, async (side) => {
    const flows = { protocol: 'tcp', to: podAddress(bed.host(side)), port: firstPort, count } as const
    const { done, failed, why, elapsed } = await probe.crowd(bed.host('app'), { ...flows, crowd, seconds })
    if (failed > 0) throw new Error(`${failed} of ${failed + done} connections through ${side} failed: ${why}`)
    return done / elapsed
  })
  await echo.stop()
  return rowOf(count, '1/s', took)
}

/** One stream to a service in the middle of those whose rules are loaded. */
export async function streamThrough(
  { bed }: PacketSetup,
  count: number,
  { repeats, seconds }: StreamsSize,
): Promise<Row> {
  const argv = ['iperf3', '--server', '--forceflush', `--port=${targetPort}`]
  const iperf = await bed.host('peer').spawn(argv, { quiet: true })
  await iperf.line(/listening/)
  const { matchPort } = service(Math.floor(count / 2))
  const took = await alternate(sides, repeats, (side) =>
    stream(bed.host('app'), podAddress(bed.host(side)), seconds, [`--port=${matchPort}`]),
  )
  await iperf.stop()
  return rowOf(count, 'Mb/s', took)
}

const rowOf = (count: number, unit: string, took: Readonly<Record<Side, number[]>>): Row => ({
  what: `TCP, ${title(count)}`,
  unit,
  better: 'more',
  ours: took.ours,
  other: took.upstream,
  point: { curve: '', services: count },
})
