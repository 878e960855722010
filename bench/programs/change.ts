// Runs in a host: node change.ts JSON, of { count, protocol, warmUp, times }
// Applies a table of `count` services as the agent does, including the monitor, and adds one service after the other,
// of which `times` count. Prints as JSON { load, add, nft: within, processor, writes }: milliseconds until the table
// was applied, until each further service was, of nft in each of these, of CPU time for each in all processes, and the
// number of writes to the kernel in as many checks of an unchanged table.
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runAhead, type RunCommand, runCommand } from '../../lib/command.ts'
import { keeper } from '../../netfilter/nftables/keeper.ts'
import { watchTable } from '../../netfilter/nftables/monitor.ts'
import { announceNothing, applyInput, nftables } from '../../netfilter/nftables/nftables.ts'
import { processorTime } from '../egress/processor-time.ts'
import type { ForwardingTable } from '../../netfilter/table.ts'
import { service, services, tableOf, type Service } from '../egress/services.ts'

type Settings = { count: number; protocol: Service['protocol']; warmUp: number; times: number }
const { count, protocol, warmUp, times } = JSON.parse(process.argv[2] ?? '{}') as Settings

// As in agent/main.ts: a run of nft is slower the more memory there is to fork.
setFlagsFromString('--semi-space-growth-factor=1')

const own = '100.64.255.1'
let inNft = 0
const counted = async <Result>(work: Promise<Result>): Promise<Result> => {
  const start = performance.now()
  return await work.finally(() => (inNft += performance.now() - start))
}
const run: RunCommand = (...command) => counted(runCommand(...command))
const ahead = runAhead('nft', applyInput)
const nft = nftables(run, (input) => counted(ahead(input)))
const rules = keeper({ nft, run, localAddresses: () => [] })
const alive = () => false
const over = new AbortController()
let generations = 0
const { listener } = rules
const begun = new Promise<void>((resolve) => {
  const heard = {
    ...listener,
    begun: () => {
      listener.begun()
      resolve()
    },
    generation: (generation: Parameters<typeof listener.generation>[0]) => {
      generations += 1
      listener.generation(generation)
    },
  }
  void watchTable(heard, { announce: () => announceNothing(nft) }, over.signal)
})

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const all = services(count)
/** Read before each change, so that the CPU caches are as cold for few services as for many. */
const many = services(20_000)
const table = (more: number): ForwardingTable =>
  tableOf([...all, ...Array.from({ length: more }, (_, n) => service(count + n, protocol))], own)
await begun
const load = await timed(() => rules.ensure(table(0), alive))
// After many changes the monitor is restarted, and then everything is read once more.
await delay(1500)
await rules.ensure(table(0), alive)

const [add, within]: [number[], number[]] = [[], []]
let processor = 0
for (let n = 1; n <= warmUp + times; n += 1) {
  tableOf(many, own)
  const next = table(n)
  // Its garbage is collected meanwhile, and not during the change.
  await delay(30)
  const [used, ran] = [processorTime(process.pid), inNft]
  const took = await timed(() => rules.ensure(next, alive))
  if (n <= warmUp) continue
  add.push(took)
  within.push(inNft - ran)
  processor += (processorTime(process.pid) - used) / times
}
const written = generations
for (let n = 0; n < times; n += 1) await rules.ensure(table(warmUp + times), alive)
await delay(300)
process.stdout.write(JSON.stringify({ load, add, nft: within, processor, writes: generations - written }))
over.abort()
