import { renderTable } from '../../netfilter/nftables/render.ts'
import { renderTraffic, trafficTable } from '../../netfilter/nftables/traffic.ts'
import { defaultDevice } from '../../netfilter/table.ts'
import type { Host } from '../../test/lab/hosts/host.ts'
import type { Progress } from '../../test/lab/progress.ts'
import { alternate } from '../alternate.ts'
import { echoPort, program, startBackend } from '../backend.ts'
import { type BenchBed, startBenchBed } from '../bench-bed.ts'
import type { Contestant } from '../contestant.ts'
import { inBed } from '../in-bed.ts'
import { directPath } from '../pair.ts'
import { Proxy } from '../proxy.ts'
import { bytes } from '../round-trip.ts'
import type { Row, Section } from '../section.ts'
import { median } from '../stats.ts'
import { stream } from '../throughput.ts'
import { type LinkBed, startLinkBed } from './links.ts'
import { middle } from './packets.ts'
import { buildProbe, type Probe } from './probe.ts'
import { podAddress } from './replica.ts'
import { ownAddress } from './rules.ts'
import { firstPort, services, tableOf, targetPort } from './services.ts'

export type CountingSize = {
  readonly repeats: number
  readonly flows: number
  readonly messages: number
  readonly seconds: number
}

const count = 1000
const which = ['counting', 'without'] as const
type Which = (typeof which)[number]

const modes = { device: defaultDevice, unmapped: false } as const
const ingress = renderTraffic({ ...modes, ingress: true, egress: undefined })
const egress = renderTraffic({ ...modes, ingress: false, egress: 'by-port' })
const nothing = `table inet ${trafficTable}\ndelete table inet ${trafficTable}\n`

/** The number of progress steps of `measureCounting`. */
export const countingSteps = 3

/** What it costs packets that the kernel counts them: our rules with the counters, and the same without. */
export async function measureCounting(ours: Contestant, size: CountingSize, steps: Progress): Promise<Section> {
  const probe = await steps.step('build what sends packets', buildProbe)
  const links = steps.step('start plain links', () => startLinkBed({ ours: ownAddress, upstream: '100.64.255.2' }))
  const onLinks = await inBed(links, (bed) => throughLinks(bed, probe, size))
  const tailnet = steps.step('start a tailnet', () => startBenchBed())
  const onTunnel = await inBed(tailnet, (bed) => throughTunnel(bed, ours, size))
  return {
    title: 'What counting costs',
    ours: 'counting',
    against: 'not counting',
    rows: [...onTunnel, ...onLinks],
    note: `The table that counts the traffic, and the same without it, which are exchanged before each measurement. “Tunnel”: L3 ingress, client → proxy → backend, with a direct tunnel over IPv4. “Link”: only our rules for ${count.toLocaleString('en')} services, client → rules → peer, all on one CPU, a plain link in place of the tunnel. Messages of ${bytes} bytes, one at a time; iperf3, one stream; ${size.seconds} s each.`,
  }
}

/** Measures with the counters and without, in turn. `change` loads rules before each measurement. */
async function compare(
  what: string,
  unit: string,
  repeats: number,
  change: (one: Which) => Promise<unknown>,
  measure: () => Promise<number>,
): Promise<Row> {
  const took = await alternate(which, repeats, async (one) => {
    await change(one)
    return measure()
  })
  return { what, unit, better: unit === 'µs' ? 'less' : 'more', ours: took.counting, other: took.without }
}

const load = (node: Host, input: string) => node.exec(['nft', '-f', '-'], { input })

async function throughLinks(bed: LinkBed, probe: Probe, { repeats, flows, messages }: CountingSize): Promise<Row[]> {
  const [app, node] = [bed.host('app'), bed.host('ours')]
  const echo = await probe.serve(bed.host('peer'), targetPort, true)
  const rows: Row[] = []
  for (const protocol of ['tcp', 'udp'] as const) {
    const rules = renderTable(tableOf(services(count, protocol), ownAddress))
    const all = { protocol, to: podAddress(node), port: firstPort, count }
    const change = async (one: Which): Promise<void> => {
      // In a transaction of its own, as chains that a transaction deletes still count for the limit of chains.
      await node.exec(['nft', 'flush', 'ruleset'])
      await load(node, one === 'counting' ? rules + egress : rules)
      // The very first packet of a service also makes its counter.
      await probe.first(app, { ...all, times: count })
    }
    const name = `link, ${protocol.toUpperCase()}`
    rows.push(
      await compare(`${name}, first packet`, 'µs', repeats, change, async () =>
        middle(await probe.first(app, { ...all, times: flows })),
      ),
      await compare(`${name}, round trip`, 'µs', repeats, change, async () =>
        middle(await probe.exchange(app, { ...all, times: messages })),
      ),
    )
  }
  await echo.stop()
  return rows
}

async function throughTunnel(bed: BenchBed, ours: Contestant, { repeats, seconds }: CountingSize): Promise<Row[]> {
  await startBackend(bed)
  await using proxy = await Proxy.start(bed, ours, 'v4')
  const [client, node, to] = [bed.host('client'), bed.host('ours'), await proxy.address('v4')]
  await directPath(client, to)
  const change = (one: Which) => load(node, one === 'counting' ? ingress : nothing)
  const roundTrip = (protocol: 'tcp' | 'udp') => async (): Promise<number> => {
    const settings = JSON.stringify({ protocol, to, port: echoPort, bytes, seconds })
    const argv = [process.execPath, program('ping-pong.ts'), settings]
    const { stdout } = await client.exec(argv, { timeout: (seconds + 10) * 1000 })
    return median((JSON.parse(stdout) as { times: number[] }).times) * 1000
  }
  return [
    await compare('tunnel, TCP, throughput', 'Mb/s', repeats, change, () => stream(client, to, seconds, [])),
    await compare('tunnel, TCP, round trip', 'µs', repeats, change, roundTrip('tcp')),
    await compare('tunnel, UDP, round trip', 'µs', repeats, change, roundTrip('udp')),
  ]
}
