import { setTimeout as delay } from 'node:timers/promises'
import { poll } from '../test/lab/poll.ts'
import type { BenchBed } from './bench-bed.ts'
import type { Contestant, ContestantName } from './contestant.ts'
import { Proxy } from './proxy.ts'
import type { Section } from './section.ts'

/** How soon rules are restored that another program deletes, `repeats` times. */
export async function measureRepair(
  bed: BenchBed,
  { ours }: Readonly<Record<ContestantName, Contestant>>,
  repeats: number,
  note: (detail: string) => void,
): Promise<Section> {
  await using _ = await Proxy.start(bed, ours, 'v4')
  const host = bed.host(ours.name)
  // Sorted: the order of sets changes with the transaction that made them.
  const rules = async (): Promise<string> => {
    const { stdout } = await host.exec(['nft', '-s', 'list', 'table', 'inet', 'culvert'], { check: false })
    return stdout.split('\n').toSorted().join('\n')
  }
  const whole = await rules()
  const took: number[] = []
  for (let repeat = 1; repeat <= repeats; repeat += 1) {
    note(`${repeat} of ${repeats}`)
    await delay(1000)
    await host.exec(['nft', 'delete', 'table', 'inet', 'culvert'])
    const begun = performance.now()
    await poll('the repair', async () => (await rules()) === whole || undefined)
    took.push(performance.now() - begun)
  }
  return {
    title: 'Rules that another program deleted',
    against: 'upstream',
    rows: [{ what: 'until all of them are back', unit: 'ms', better: 'less', ours: took, other: [] }],
    note: 'Upstream does not notice it. The time includes one look at the rules by a process in the host.',
  }
}
