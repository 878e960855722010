import { setTimeout as delay } from 'node:timers/promises'
import { alternate } from '../alternate.ts'
import type { Contestant } from '../contestant.ts'
import { type Side, sides } from '../pair.ts'
import { memoryOf } from '../process-memory.ts'
import type { Row, Section } from '../section.ts'
import { type EgressBed, Replica, tailnetAddress } from './replica.ts'
import { type Service, services } from './services.ts'

/** Milliseconds after which an agent has done all that follows its start. */
const settling = 4000

export type BeforeSize = { readonly repeats: number; readonly changes: number; readonly idle: number }

/** Compares an earlier bundle of the agent with the present one, in the mode that uses most of the agent. */
export async function measureBefore(
  bed: EgressBed,
  now: Contestant,
  before: Contestant,
  { repeats, changes, idle }: BeforeSize,
  note: (detail: string) => void,
): Promise<Section> {
  const target = await tailnetAddress(bed, 'client')
  const list = (port: number): Service[] => services(10).map((one) => ({ ...one, target, targetPort: port }))
  const contestant: Record<Side, Contestant> = { ours: now, upstream: before }
  const took = await alternate(sides, repeats, async (side, repeat) => {
    note(`${side === 'ours' ? 'today’s' : 'the earlier one'}, ${repeat + 1} of ${repeats}`)
    await using replica = await Replica.start(bed, side, contestant[side], list(8000))
    const { listedAfter: start, processorTime: starting } = replica
    await delay(settling)
    const settled = replica.processorTime
    await delay(idle * 1000)
    const { anonymous, resident } = await memoryOf(replica.process)
    const used = replica.processorTime
    const resting = (used - settled) / idle
    for (let change = 1; change <= changes; change += 1) await replica.forward(list(8000 + change))
    return { start, starting, anonymous, resident, resting, changing: (replica.processorTime - used) / changes }
  })
  const row = (what: string, unit: string, key: keyof (typeof took)['ours'][number]): Row => ({
    what,
    unit,
    better: 'less',
    ours: took.ours.map((one) => one[key]),
    other: took.upstream.map((one) => one[key]),
  })
  return {
    title: 'Compared with an earlier agent',
    against: 'earlier',
    rows: [
      row('start until its status lists all', 'ms', 'start'),
      row('CPU time until then', 'ms', 'starting'),
      row('anonymous', 'MiB', 'anonymous'),
      row('resident', 'MiB', 'resident'),
      row('CPU time of a second at rest', 'ms', 'resting'),
      row('CPU time, one service changed', 'ms', 'changing'),
    ],
    note:
      'Each as a replica of a ProxyGroup with ten services, with an API server. On either side a start takes five seconds ' +
      `longer when the first handshake with the peer is lost. Memory is that of the agent alone, ${idle} s at rest after the start; ` +
      `CPU time is that of the agent and its children, without tailscaled, for each of ${changes} changes.`,
  }
}
