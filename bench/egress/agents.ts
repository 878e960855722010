import { setTimeout as delay } from 'node:timers/promises'
import { alternate } from '../alternate.ts'
import type { Contestant } from '../contestant.ts'
import { type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { type EgressBed, Replica, tailnetAddress } from './replica.ts'
import { type Service, services } from './services.ts'

export type AgentsSize = { readonly repeats: number; readonly changes: number; readonly rest: number }

const count = 1000

/**
 * The cost for both agents of changing one service among 1,000, and how often they write to the kernel when nothing
 * changes.
 */
export async function measureAgents(
  bed: EgressBed,
  all: Readonly<Record<Side, Contestant>>,
  { repeats, changes, rest }: AgentsSize,
  note: (detail: string) => void,
): Promise<Section> {
  const target = await tailnetAddress(bed, 'client')
  const list = services(count).map((service): Service => ({ ...service, target }))
  /** The list with another target port of the last service. */
  const changed = (n: number): Service[] =>
    list.map((service, at) => (at === count - 1 ? { ...service, targetPort: 8000 + n } : service))

  note('start both')
  await using ours = await Replica.start(bed, 'ours', all.ours, list)
  await using upstream = await Replica.start(bed, 'upstream', all.upstream, list)
  const replicas = { ours, upstream }
  const last = { ours: 0, upstream: 0 }
  const took = await alternate(sides, repeats, async (side, repeat) => {
    note(`${side}, ${repeat + 1} of ${repeats}`)
    const used = replicas[side].processorTime
    for (let n = 0; n < changes; n += 1) await replicas[side].forward(changed((last[side] += 1)))
    return (replicas[side].processorTime - used) / changes
  })
  const writes = await alternate(sides, 1, (side) => {
    note(`${side} at rest`)
    return writesOf(bed, side, async () => {
      for (let n = 0; n < 3; n += 1) await replicas[side].forward(changed(last[side]))
      await delay(rest * 1000)
    })
  })
  const row = (what: string, unit: string, of: Readonly<Record<Side, readonly number[]>>): Row => ({
    what,
    unit,
    better: 'less',
    ours: of.ours,
    other: of.upstream,
  })
  return {
    title: `The whole agent with ${count.toLocaleString('en')} services`,
    against: 'upstream',
    rows: [
      row('start until its status lists all', 'ms', { ours: [ours.listedAfter], upstream: [upstream.listedAfter] }),
      row('CPU time, one service changed', 'ms', took),
      row('writes to the kernel when nothing changes', 'transactions', writes),
    ],
    note:
      'Both agents as replicas of a ProxyGroup, with an API server; each service has one TCP port and the same target. ' +
      `CPU time of the agent and its children, without tailscaled, for each of ${changes} changes of a port, mounted as ` +
      'kubelet mounts them, until the status in the Secret shows the change. For the last row, the same files are mounted ' +
      `three more times, followed by ${rest} s of rest.`,
  }
}

/** Counts transactions of nftables in a side's network namespace meanwhile. */
async function writesOf(bed: EgressBed, side: Side, meanwhile: () => Promise<void>): Promise<number> {
  const monitor = await bed.host(side).spawn(['nft', 'monitor'], { name: 'monitor', quiet: true })
  await delay(500)
  await meanwhile()
  await monitor.stop()
  return monitor.log.filter((line) => line.startsWith('# new generation')).length
}
