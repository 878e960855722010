import { CulvertError } from '../../lib/errors.ts'
import { type LinkBed, startLinkBed } from '../egress/links.ts'
import { counts, measureFlows, type PacketsSize, title } from '../egress/packets.ts'
import type { Probe } from '../egress/probe.ts'
import type { PacketSetup } from '../egress/rules.ts'
import { targetPort } from '../egress/services.ts'
import { type StreamsSize, streamThrough } from '../egress/streams.ts'
import { type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import type { Recording } from './agents.ts'

export type RulesSize = { readonly packets: PacketsSize; readonly streams: StreamsSize }

type Recordings = Readonly<Record<Side, Recording>>

/** Starts plain links, in place of tunnels, for the nodes whose rules were recorded. */
export const startLinks = ({ ours, upstream }: Recordings): Promise<LinkBed> =>
  startLinkBed({ ours: ours.own, upstream: upstream.own })

/** Packets through the rules that both agents and their tailscaled made. */
export async function measureRules(
  bed: LinkBed,
  recordings: Recordings,
  probe: Probe,
  { packets, streams }: RulesSize,
  note: (detail: string) => void,
): Promise<Section> {
  const load: PacketSetup['load'] = async (side, count) => {
    const input = recordings[side].rules.get(count)
    if (input === undefined) throw new CulvertError('command', `no rules were recorded for ${title(count)}`)
    await bed.host(side).exec(['iptables-restore'], { input, timeout: 60_000 })
  }
  const setup: PacketSetup = { bed, probe, load }
  const server = await probe.serve(bed.host('peer'), targetPort, true)
  const { first, trips } = await measureFlows(setup, 'tcp', packets, note)
  await server.stop()
  const speed: Row[] = []
  for (const count of counts) {
    note(`throughput, ${title(count)}`)
    for (const side of sides) await load(side, count, 'tcp')
    speed.push(await streamThrough(setup, count, streams))
  }
  return {
    title: 'Packets through the rules of iptables',
    against: 'upstream',
    rows: [
      ...first.map((row) => ({
        ...row,
        what: `first packet, ${row.what}`,
        goal: row.point?.services === counts.at(-1) ? 0.3 : 1.05,
      })),
      ...trips.map((row) => ({ ...row, what: `round trip, ${row.what}`, goal: 1.05 })),
      ...speed.map((row) => ({ ...row, what: `throughput, ${row.what}`, goal: 0.95 })),
    ],
    note:
      'The IPv4 rules of the agents below, and of their tailscaled, in namespaces where a plain link to the peer replaces ' +
      'the tunnel. First packet: until the connection is established, which does not involve the peer’s process; medians ' +
      `of ${packets.flows} flows, to all services in turn. Round trip: medians of ${packets.messages} messages of 64 bytes on ` +
      'one flow. In both, client → rules → peer, all on one CPU. Throughput: iperf3, one stream, ' +
      `${streams.seconds} s after a warm-up of one second, to a service in the middle of the list.`,
  }
}
