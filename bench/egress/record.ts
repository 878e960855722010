import { CulvertError } from '../../lib/errors.ts'
import type { Contestant } from '../contestant.ts'
import { grow, type Growth, growthOf, type Listing, parseListing, renderListing } from './growth.ts'
import { type EgressBed, Replica } from './replica.ts'
import { type Service, service } from './services.ts'

/** How the rules of upstream's agent grow, recorded from a real one, and the tailnet address that they are for. */
export type Recording = { readonly growth: Growth; readonly own: string }

/**
 * Runs upstream's agent with one service and two, and dumps the rules of its network namespace.
 * @throws CulvertError `command` unless the rules for four are as predicted from these two, one of them by UDP.
 */
export async function recordUpstream(bed: EgressBed, contestant: Contestant): Promise<Recording> {
  const all: Service[] = [service(0), service(1), service(2, 'udp'), service(3)]
  await using replica = await Replica.start(bed, 'upstream', contestant, all.slice(0, 1))
  const dump = async (): Promise<Listing> =>
    parseListing((await bed.host('upstream').exec(['nft', 'list', 'ruleset'])).stdout)
  const one = await dump()
  await replica.forward(all.slice(0, 2))
  const growth = growthOf(one, service(0), await dump(), service(1))
  // One after the other, as services that are added at once have a random order.
  await replica.forward(all.slice(0, 3))
  await replica.forward(all)
  if (sorted(grow(growth, all)) !== sorted(await dump())) {
    throw new CulvertError('command', 'the rules of upstream’s agent do not grow as they did from one service to two')
  }
  return { growth, own: await replica.own() }
}

/** With chains sorted by name, since the order in which nft lists them is meaningless. */
const sorted = (listing: Listing): string =>
  renderListing(
    new Map(
      [...listing].map(([table, chains]) => [table, new Map([...chains].toSorted(([a], [b]) => (a < b ? -1 : 1)))]),
    ),
  )
