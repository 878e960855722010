import { writeFile } from 'node:fs/promises'
import { alternate } from '../alternate.ts'
import { program } from '../backend.ts'
import { type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { title } from './packets.ts'
import { type RulesSetup, rulesOf } from './rules.ts'
import { services } from './services.ts'

type Loading = { readonly took: number; readonly memory: number }

const counts = [1, 10, 100, 1000, 1024, 10_000, 50_000]
/** The most services that upstream's rules can have, and one too many. */
const limit = 1024
/** With fewer, noise of the machine is larger than the result. */
const leastForMemory = 1000

/** The cost of loading both sides' rules for this many services, in time and kernel memory. */
export async function measureLoading(
  setup: RulesSetup,
  { repeats }: { readonly repeats: number },
  note: (detail: string) => void,
): Promise<Section[]> {
  const [time, memory]: [Row[], Row[]] = [[], []]
  for (const count of counts) {
    note(title(count))
    const able = sides.filter((side) => side === 'ours' || count <= limit)
    for (const side of able) await putRules(setup, side, count)
    const took = await alternate(able, repeats, (side) => load(setup, side))
    const row = (unit: string, pick: (one: Loading) => number): Row => ({
      what: title(count),
      unit,
      better: 'less',
      ours: took.ours.map(pick),
      other: took.upstream?.map(pick) ?? [],
      point: { curve: '', services: count },
    })
    time.push(row('ms', (one) => one.took))
    if (count >= leastForMemory) memory.push(row('MiB', (one) => one.memory))
  }
  await putRules(setup, 'upstream', limit + 1)
  const refusal = await load(setup, 'upstream').then(
    () => 'are loaded, too',
    (error: unknown) =>
      /Argument list too long|too (?:big|long)/i.test(String(error)) ? 'are refused' : String(error),
  )
  return [
    {
      title: 'Loading rules',
      against: 'upstream',
      rows: time,
      chart: 'loading',
      note:
        'One transaction of nft in an empty network namespace, including the start of nft. Upstream’s agent itself adds its ' +
        `rules one after the other. Its rules for ${title(limit + 1)} ${refusal}: a hook cannot have more chains.`,
    },
    {
      title: 'The kernel’s memory for rules',
      against: 'upstream',
      rows: memory,
      chart: 'memory',
      note:
        'The increase of SUnreclaim, VmallocUsed and Percpu in /proc/meminfo, 0.3 s after the transaction. It includes whatever ' +
        'else happened on the machine.',
    },
  ]
}

const file = '/tmp/rules.nft'

const putRules = async ({ bed, recording }: RulesSetup, side: Side, count: number): Promise<void> =>
  writeFile(bed.host(side).path(file), rulesOf(side, services(count), recording))

async function load({ bed }: RulesSetup, side: Side): Promise<Loading> {
  const { stdout } = await bed.host(side).exec([process.execPath, program('load.ts'), file], { timeout: 90_000 })
  return JSON.parse(stdout) as Loading
}
