import { renderTraffic } from '../../netfilter/nftables/traffic.ts'
import { renderTable } from '../../netfilter/nftables/render.ts'
import { defaultDevice } from '../../netfilter/table.ts'
import type { Progress } from '../../test/lab/progress.ts'
import { alternate } from '../alternate.ts'
import { inBed } from '../in-bed.ts'
import type { Row, Section } from '../section.ts'
import { stream } from '../throughput.ts'
import { type LinkBed, startLinkBed } from './links.ts'
import { middle, type PacketsSize } from './packets.ts'
import { buildProbe, type Probe } from './probe.ts'
import { podAddress } from './replica.ts'
import { ownAddress } from './rules.ts'
import { firstPort, services, tableOf, targetPort } from './services.ts'
import type { StreamsSize } from './streams.ts'

export type CountingSize = { readonly packets: PacketsSize; readonly streams: StreamsSize }

const count = 1000
/** The number of connections at a time. */
const crowd = 16
const which = ['counting', 'without'] as const
type Which = (typeof which)[number]

const counters = renderTraffic({ device: defaultDevice, ingress: false, egress: 'by-port', unmapped: false })

/** The number of progress steps of `measureCounting`. */
export const countingSteps = 2

/** What it costs packets that the kernel counts them: our rules with the counters, and the same without. */
export async function measureCounting(size: CountingSize, steps: Progress): Promise<Section> {
  const probe = await steps.step('build what sends packets', buildProbe)
  const bed = steps.step('start plain links', () => startLinkBed({ ours: ownAddress, upstream: '100.64.255.2' }))
  return inBed(bed, (links) => compare(links, probe, size))
}

async function compare(bed: LinkBed, probe: Probe, { packets, streams }: CountingSize): Promise<Section> {
  const [app, node, peer] = [bed.host('app'), bed.host('ours'), bed.host('peer')]
  const to = podAddress(node)
  const each = (repeats: number, protocol: 'tcp' | 'udp', measure: () => Promise<number>) =>
    alternate(which, repeats, async (one) => {
      const rules = renderTable(tableOf(services(count, protocol), ownAddress))
      // In a transaction of its own, as chains that a transaction deletes still count for the limit of chains.
      await node.exec(['nft', 'flush', 'ruleset'])
      await node.exec(['nft', '-f', '-'], { input: one === 'counting' ? rules + counters : rules })
      return measure()
    })
  const row = (what: string, unit: string, better: Row['better'], took: Readonly<Record<Which, number[]>>): Row => ({
    what,
    unit,
    better,
    ours: took.counting,
    other: took.without,
  })
  const rows: Row[] = []
  const echo = await probe.serve(peer, targetPort, true)
  for (const protocol of ['tcp', 'udp'] as const) {
    const flows = { protocol, to, port: firstPort, count }
    const name = protocol.toUpperCase()
    const first = await each(packets.repeats, protocol, async () =>
      middle(await probe.first(app, { ...flows, times: packets.flows })),
    )
    rows.push(row(`${name}, first packet`, 'µs', 'less', first))
    const trip = await each(packets.repeats, protocol, async () =>
      middle(await probe.exchange(app, { ...flows, times: packets.messages })),
    )
    rows.push(row(`${name}, round trip`, 'µs', 'less', trip))
  }
  await echo.stop()
  const server = await probe.serve(peer, targetPort, false)
  const connections = await each(streams.repeats, 'tcp', async () => {
    const flows = { protocol: 'tcp', to, port: firstPort, count } as const
    const { done, elapsed } = await probe.crowd(app, { ...flows, crowd, seconds: streams.seconds })
    return done / elapsed
  })
  rows.push(row('TCP, new connections', '1/s', 'more', connections))
  await server.stop()
  const iperf = await peer.spawn(['iperf3', '--server', '--forceflush', `--port=${targetPort}`], { quiet: true })
  await iperf.line(/listening/)
  const through = await each(streams.repeats, 'tcp', () => stream(app, to, streams.seconds, [`--port=${firstPort}`]))
  rows.push(row('TCP, throughput', 'Mb/s', 'more', through))
  await iperf.stop()
  return {
    title: 'What counting costs',
    ours: 'counting',
    against: 'not counting',
    rows,
    note: `Our rules for ${count.toLocaleString('en')} services with the table that counts their traffic, and without it; client → rules → peer, one address, packets all on one CPU, without a tunnel, which takes ten times as long. Messages of 64 bytes; ${crowd} connections at a time; the rules are loaded again for each measurement.`,
  }
}
