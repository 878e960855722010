import { alternate } from '../alternate.ts'
import { sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { stream } from '../throughput.ts'
import { counts, title } from './packets.ts'
import { podAddress } from './replica.ts'
import { load, type RulesSetup } from './rules.ts'
import { firstPort, service, services, targetPort } from './services.ts'

export type StreamsSize = { readonly repeats: number; readonly seconds: number }

/** The number of connections at a time. */
const crowd = 16

/** Throughput of one connection, and new connections, through both sides' rules for this many services. */
export async function measureStreams(
  setup: RulesSetup,
  { repeats, seconds }: StreamsSize,
  note: (detail: string) => void,
): Promise<Section[]> {
  const { bed, probe } = setup
  const [app, peer] = [bed.host('app'), bed.host('peer')]
  const [streams, connections]: [Row[], Row[]] = [[], []]
  for (const count of counts) {
    note(title(count))
    for (const side of sides) await load(setup, side, services(count))
    const row = (unit: string, took: Record<(typeof sides)[number], number[]>): Row => ({
      what: `TCP, ${title(count)}`,
      unit,
      better: 'more',
      ours: took.ours,
      other: took.upstream,
      point: { curve: '', services: count },
    })
    const echo = await probe.serve(peer, targetPort, false)
    const rate = await alternate(sides, repeats, async (side) => {
      const flows = { protocol: 'tcp', to: podAddress(bed.host(side)), port: firstPort, count } as const
      const { done, failed, why, elapsed } = await probe.crowd(app, { ...flows, crowd, seconds })
      if (failed > 0) throw new Error(`${failed} of ${failed + done} connections through ${side} failed: ${why}`)
      return done / elapsed
    })
    connections.push(row('1/s', rate))
    await echo.stop()
    const iperf = await peer.spawn(['iperf3', '--server', '--forceflush', `--port=${targetPort}`], { quiet: true })
    await iperf.line(/listening/)
    const { matchPort } = service(Math.floor(count / 2))
    const speed = await alternate(sides, repeats, (side) =>
      stream(app, podAddress(bed.host(side)), seconds, [`--port=${matchPort}`]),
    )
    streams.push({ ...row('Mb/s', speed), ...(count === counts.at(-1) && { goal: 4 }) })
    await iperf.stop()
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
