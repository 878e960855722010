import { alternate } from '../alternate.ts'
import { type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { median } from '../stats.ts'
import type { Flows, Measured } from './probe.ts'
import { podAddress } from './replica.ts'
import type { PacketSetup } from './rules.ts'
import { firstPort, targetPort } from './services.ts'

export const counts = [1, 10, 100, 1000] as const
const many = 1000
const protocols = ['tcp', 'udp'] as const

export type PacketsSize = { readonly repeats: number; readonly flows: number; readonly messages: number }

/**
 * Microseconds of single packets, through both sides' rules for this many services, and through ours for 1,000 and for
 * 1.
 */
export async function measurePackets(
  setup: PacketSetup,
  size: PacketsSize,
  note: (detail: string) => void,
): Promise<Section[]> {
  const { repeats, flows, messages } = size
  const server = await setup.probe.serve(setup.bed.host('peer'), targetPort, true)
  const [first, trips]: [Row[], Row[]] = [[], []]
  const beside: Row[] = []
  for (const protocol of protocols) {
    const rows = await measureFlows(setup, protocol, size, note)
    first.push(...rows.first.map((row) => ({ ...row, ...(row.point?.services === many && { goal: 0.15 }) })))
    trips.push(...rows.trips)
    const took = await alternate(['many', 'one'], repeats, async (which) => {
      const count = which === 'many' ? many : 1
      await setup.load('ours', count, protocol)
      return exchange(setup, 'ours', { protocol, count, times: messages })
    })
    const what = `${protocol.toUpperCase()}, ${title(many)}`
    beside.push({ what, unit: 'µs', better: 'less', goal: 1.05, ours: took.many, other: took.one })
  }
  await server.stop()
  const path = 'client → rules → peer, all on one CPU'
  return [
    {
      title: 'First packet through the rules',
      against: 'upstream',
      rows: first,
      chart: 'first-packet',
      note:
        `TCP: until the connection is established, which does not involve the peer’s process. UDP: until the first datagram ` +
        `is answered, by a process that must be woken. Medians of ${flows} flows, to all services in turn; ${path}.`,
    },
    {
      title: 'Round trip through the rules',
      against: 'upstream',
      rows: trips,
      chart: 'round-trip',
      note: `Medians of ${messages} messages of 64 bytes on one flow; ${path}.`,
    },
    {
      title: 'Round trip through our rules, by the number of services',
      against: 'one service',
      rows: beside,
      note: 'The same, with the rules loaded again for each measurement.',
    },
  ]
}

/** First packets and round trips, for each number of services; the peer answers at `targetPort`. */
export async function measureFlows(
  setup: PacketSetup,
  protocol: Protocol,
  { repeats, flows, messages }: PacketsSize,
  note: (detail: string) => void,
): Promise<Record<'first' | 'trips', Row[]>> {
  const rows: Record<'first' | 'trips', Row[]> = { first: [], trips: [] }
  for (const count of counts) {
    note(`${protocol}, ${title(count)}`)
    for (const side of sides) await setup.load(side, count, protocol)
    const row = (took: Record<Side, number[]>): Row => ({
      what: `${protocol.toUpperCase()}, ${title(count)}`,
      unit: 'µs',
      better: 'less',
      ours: took.ours,
      other: took.upstream,
      point: { curve: protocol.toUpperCase(), services: count },
    })
    const { bed, probe } = setup
    const begun = await alternate(sides, repeats, async (side) =>
      middle(await probe.first(bed.host('app'), { ...through(setup, side, { protocol, count }), times: flows })),
    )
    rows.first.push(row(begun))
    const trip = (side: Side): Promise<number> => exchange(setup, side, { protocol, count, times: messages })
    rows.trips.push(row(await alternate(sides, repeats, trip)))
  }
  return rows
}

type Protocol = (typeof protocols)[number]
type Through = { readonly protocol: Protocol; readonly count: number }

const through = ({ bed }: PacketSetup, side: Side, flows: Through): Flows => ({
  ...flows,
  to: podAddress(bed.host(side)),
  port: firstPort,
})

const exchange = async (
  setup: PacketSetup,
  side: Side,
  { times, ...flows }: Through & { readonly times: number },
): Promise<number> =>
  middle(await setup.probe.exchange(setup.bed.host('app'), { ...through(setup, side, flows), times }))

export const title = (count: number): string => (count === 1 ? '1 service' : `${count.toLocaleString('en')} services`)

/** The median of what was measured; rejects if anything was not answered. */
export function middle({ times, failed, why }: Measured): number {
  if (failed > 0) throw new Error(`${failed} of ${failed + times.length} flows or messages were not answered: ${why}`)
  return median(times)
}
