import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { connect } from '../../kube/controller/cluster.ts'
import { electShards, type Shards } from '../../kube/controller/election/shards.ts'
import type { Log } from '../../lib/log.ts'
import { events } from '../log-events.ts'
import { leaseOf } from '../objects/names.ts'
import type { Read } from '../settings/read.ts'
import { manager } from '../world/followed.ts'
import type { Division } from './division.ts'

/**
 * Takes part in the elections by the Leases in the operator's namespace, one for each shard. Returns when it is known
 * whether another replica works.
 */
export async function standForElection(
  { settings: { namespace }, process }: Read,
  { plan, count }: Division,
  log: Log,
  signal: AbortSignal,
): Promise<Shards> {
  // Connections of its own: renewals must not wait for other requests.
  const { api } = await connect('default')
  const nameOf = (shard: number) => ({ namespace, name: leaseOf(shard) })
  const shards = electShards(
    {
      api,
      names: [nameOf(0), ...Array.from({ length: count - 1 }, (_, index) => nameOf(index + 1))],
      plan,
      identity: `${hostname()}_${randomUUID()}`,
      times: process.election,
      manager,
      problem: (what: string, text: string | undefined) =>
        log(text === undefined ? events.leaseWell({ what }) : events.leaseTrouble({ what, problem: text })),
    },
    signal,
  )
  for (const [shard, { elected }] of shards.all.entries())
    void elected.then(() => log(count === 1 ? events.leads() : events.leadsShard({ shard, shards: count })))
  await shards.looked
  if (shards.all.every(({ isLeader }) => !isLeader())) log(events.standsBy())
  return shards
}
