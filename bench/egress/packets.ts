import { alternate } from '../alternate.ts'
import { type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { median } from '../stats.ts'
import type { Measured } from './probe.ts'
import { podAddress } from './replica.ts'
import { load, type RulesSetup } from './rules.ts'
import { firstPort, services, targetPort } from './services.ts'

export const counts = [1, 10, 100, 1000] as const
const many = 1000
const protocols = ['tcp', 'udp'] as const

export type PacketsSize = { readonly repeats: number; readonly flows: number; readonly messages: number }

/**
 * Microseconds of single packets, through both sides' rules for this many services, and through ours for 1,000 and for
 * 1.
 */
export async function measurePackets(
  setup: RulesSetup,
  { repeats, flows, messages }: PacketsSize,
  note: (detail: string) => void,
): Promise<Section[]> {
  const { bed, probe } = setup
  const server = await probe.serve(bed.host('peer'), targetPort, true)
  const app = bed.host('app')
  const [first, trips]: [Row[], Row[]] = [[], []]
  const beside: Row[] = []
  for (const protocol of protocols) {
    const through = (side: Side, count: number) => ({
      protocol,
      to: podAddress(bed.host(side)),
      port: firstPort,
      count,
    })
    const exchange = async (side: Side, count: number): Promise<number> =>
      middle(await probe.exchange(app, { ...through(side, count), times: messages }))
    for (const count of counts) {
      note(`${protocol}, ${title(count)}`)
      for (const side of sides) await load(setup, side, services(count, protocol))
      const row = (took: Record<Side, number[]>): Row => ({
        what: `${protocol.toUpperCase()}, ${title(count)}`,
        unit: 'µs',
        better: 'less',
        ours: took.ours,
        other: took.upstream,
        point: { curve: protocol.toUpperCase(), services: count },
      })
      const begun = await alternate(sides, repeats, async (side) =>
        middle(await probe.first(app, { ...through(side, count), times: flows })),
      )
      first.push({ ...row(begun), ...(count === many && { goal: 0.15 }) })
      trips.push(row(await alternate(sides, repeats, (side) => exchange(side, count))))
    }
    const took = await alternate(['many', 'one'], repeats, async (which) => {
      const count = which === 'many' ? many : 1
      await load(setup, 'ours', services(count, protocol))
      return exchange('ours', count)
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

export const title = (count: number): string => (count === 1 ? '1 service' : `${count.toLocaleString('en')} services`)

function middle({ times, failed, why }: Measured): number {
  if (failed > 0) throw new Error(`${failed} of ${failed + times.length} flows or messages were not answered: ${why}`)
  return median(times)
}
