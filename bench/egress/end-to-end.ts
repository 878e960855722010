import { alternate } from '../alternate.ts'
import type { Contestant } from '../contestant.ts'
import { directPath, type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { median } from '../stats.ts'
import { stream } from '../throughput.ts'
import type { Probe } from './probe.ts'
import { type EgressBed, Replica, tailnetAddress } from './replica.ts'
import { firstPort, type Service, targetPort } from './services.ts'

export type EndToEndSize = { readonly repeats: number; readonly messages: number; readonly seconds: number }

/** What the cluster gets of a target in the tailnet, through either agent and two tailscaleds. */
export async function measureEndToEnd(
  bed: EgressBed,
  all: Readonly<Record<Side, Contestant>>,
  probe: Probe,
  size: EndToEndSize,
  note: (detail: string) => void,
): Promise<Section> {
  const list = servicesTo(await tailnetAddress(bed, 'client'), firstPort)
  await using ours = await Replica.start(bed, 'ours', all.ours, list)
  await using upstream = await Replica.start(bed, 'upstream', all.upstream, list)
  const replicas = { ours, upstream }
  return {
    title: 'Egress end to end',
    against: 'upstream',
    rows: await throughReplicas({ bed, probe, replicas, port: firstPort }, size, note),
    note: `${pathOf('one service')} ${measuresOf(size)}`,
  }
}

/** A service for each protocol, with a target that answers. */
export const servicesTo = (target: string, matchPort: number): Service[] =>
  protocols.map((protocol): Service => ({ name: protocol, protocol, matchPort, target, targetPort }))

/** Where the packets go, and through how many services' rules. */
export const pathOf = (many: string): string =>
  'A client in the cluster → the Pod’s port → a peer in the tailnet, through tailscaled on both sides, ProxyGroup ' +
  `egress with ${many}, IPv4.`

export const measuresOf = ({ messages, seconds }: EndToEndSize): string =>
  `Round trips are medians of ${messages} messages of 64 bytes; throughput is one stream of iperf3, ${seconds} s after a ` +
  'warm-up of one second.'

const protocols = ['tcp', 'udp'] as const

/** Round trips and throughput through both agents, which have services for the client at this port. */
export async function throughReplicas(
  setup: {
    readonly bed: EgressBed
    readonly probe: Probe
    readonly replicas: Readonly<Record<Side, Replica>>
    readonly port: number
  },
  { repeats, messages, seconds }: EndToEndSize,
  note: (detail: string) => void,
): Promise<Row[]> {
  const { bed, probe, replicas, port } = setup
  const [app, client] = [bed.host('app'), bed.host('client')]
  for (const side of sides) await directPath(bed.host('client'), await replicas[side].own())

  const rows: Row[] = []
  const echo = await probe.serve(client, targetPort, false)
  for (const protocol of protocols) {
    const took = await alternate(sides, repeats, async (side, repeat) => {
      note(`${protocol}, ${side}, ${repeat + 1} of ${repeats}`)
      const flows = { protocol, to: replicas[side].address, port, count: 1 }
      const { times, failed, why } = await probe.exchange(app, { ...flows, times: messages })
      if (failed > 0) throw new Error(`${failed} of ${messages} messages through ${side} were not answered: ${why}`)
      return median(times)
    })
    const what = `round trip, ${protocol.toUpperCase()}`
    rows.push({ what, unit: 'µs', better: 'less', ours: took.ours, other: took.upstream })
  }
  await echo.stop()
  const iperf = await client.spawn(['iperf3', '--server', '--forceflush', `--port=${targetPort}`], { quiet: true })
  await iperf.line(/listening/)
  for (const [title, flags] of [
    ['client → target', []],
    ['target → client', ['--reverse']],
  ] as const) {
    const took = await alternate(sides, repeats, async (side, repeat) => {
      note(`${title}, ${side}, ${repeat + 1} of ${repeats}`)
      return await stream(app, replicas[side].address, seconds, [`--port=${port}`, ...flags])
    })
    const what = `TCP throughput, ${title}`
    rows.push({ what, unit: 'Mb/s', better: 'more', ours: took.ours, other: took.upstream })
  }
  await iperf.stop()
  return rows
}
