import { alternate } from '../alternate.ts'
import { program } from '../backend.ts'
import type { Row, Section } from '../section.ts'
import { median } from '../stats.ts'
import { title } from './packets.ts'
import type { RulesSetup } from './rules.ts'

export type AddingSize = { readonly repeats: number; readonly times: number }

/** What programs/change.ts prints. */
type Added = {
  readonly load: number
  readonly add: readonly number[]
  readonly nft: readonly number[]
  readonly processor: number
  readonly writes: number
}

const few = 10
const most = 20_000
const counts = [few, 100, 1000, 10_000, most] as const

/** What it takes to add one service to so many, with all that the agent does for it to the kernel. */
export async function measureAdding(
  { bed }: RulesSetup,
  { repeats, times }: AddingSize,
  note: (detail: string) => void,
): Promise<Section> {
  const names = counts.map((count) => String(count))
  const took = await alternate(names, repeats, async (name, repeat): Promise<Added> => {
    note(`${title(Number(name))}, ${repeat + 1} of ${repeats}`)
    const node = bed.host('ours')
    await node.exec(['nft', 'flush', 'ruleset'])
    const settings = JSON.stringify({ count: Number(name), protocol: 'tcp', warmUp: 5, times })
    return JSON.parse(
      (await node.exec([process.execPath, program('change.ts'), settings], { timeout: 90_000 })).stdout,
    ) as Added
  })
  const rows = counts.flatMap((count): Row[] => {
    const [here, beside] = [took[String(count)] ?? [], took[String(few)] ?? []]
    const row = (what: string, unit: string, pick: (one: Added) => number): Row => ({
      what: `${title(count)}, ${what}`,
      unit,
      better: 'less',
      ours: here.map(pick),
      other: beside.map(pick),
    })
    return [
      {
        ...row('until it stands', 'ms', ({ add }) => median(add)),
        point: { curve: '', services: count },
        ...(count === most && { goal: 1.2 }),
      },
      row('of which nft', 'ms', ({ nft }) => median(nft)),
      row('processor time', 'ms', ({ processor }) => processor),
    ]
  })
  const writes = Object.values(took).flatMap((all) => all.map((one) => one.writes))
  return {
    title: 'One service more',
    against: `with ${few}`,
    rows,
    chart: 'adding',
    note:
      `A process that holds the table as the agent does, monitor and all, adds ${times} services of one TCP port, one after ` +
      'the other: from the new table, which is compared with the former, until the kernel has announced the change. ' +
      'Before each it goes over 20,000 services, however many it holds, so that the processor’s caches are as cold for few ' +
      'as for many. An nft has waited for each, as it does after the first change: that it was started beforehand counts as processor ' +
      'time, which is that of the process, of nft and of the monitor, for each. Looks at a table that holds already, ' +
      `${times} each time, wrote to the kernel ` +
      `${writes.reduce((sum, count) => sum + count, 0)} times.`,
  }
}
