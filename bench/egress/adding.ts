import { alternate } from '../alternate.ts'
import { program } from '../backend.ts'
import type { Row, Section } from '../section.ts'
import { median } from '../stats.ts'
import { title } from './packets.ts'
import type { RulesSetup } from './rules.ts'

export type AddingSize = { readonly repeats: number; readonly times: number }

/** The output of programs/change.ts. */
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

/** The cost of adding one service to this many, with all that the agent does to the kernel for it. */
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
        ...row('until applied', 'ms', ({ add }) => median(add)),
        point: { curve: '', services: count },
        ...(count === most && { goal: 1.2 }),
      },
      row('of which nft', 'ms', ({ nft }) => median(nft)),
      row('CPU time', 'ms', ({ processor }) => processor),
    ]
  })
  const writes = Object.values(took).flatMap((all) => all.map((one) => one.writes))
  return {
    title: 'Adding one service',
    against: `with ${few}`,
    rows,
    chart: 'adding',
    note:
      `A process that applies the table as the agent does, including the monitor, adds ${times} services of one TCP port, ` +
      'one after the other. Measured from the new table, which is compared with the previous one, until the kernel has ' +
      'announced the change. Before each change it reads 20,000 services, however many the table has, so that the CPU ' +
      'caches are equally cold. An nft process waits for each change, as it does in the agent after the first one; starting ' +
      'it counts as CPU time, which is that of the process, of nft and of the monitor. Checking an unchanged table, ' +
      `${times} times each, wrote to the kernel ${writes.reduce((sum, count) => sum + count, 0)} times.`,
  }
}
