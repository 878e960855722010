import { setTimeout as delay } from 'node:timers/promises'
import { poll } from '../test/lab/poll.ts'
import type { BenchBed } from './bench-bed.ts'
import type { Contestant, ContestantName } from './contestant.ts'
import { Proxy } from './proxy.ts'
import type { Section } from './section.ts'

/** How soon the rules are back that another program takes away, `repeats` times. */
export async function measureRepair(
  bed: BenchBed,
  { ours }: Readonly<Record<ContestantName, Contestant>>,
  repeats: number,
  note: (detail: string) => void,
): Promise<Section> {
  await using _ = await Proxy.start(bed, ours, 'v4')
  const host = bed.host(ours.name)
  // Without its order: that of sets changes with the transaction which made them.
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
    note: 'Upstream does not notice it. A look at the rules, which is a process in the host, is part of the time.',
  }
}
