// Runs inside a host: node change.ts JSON, of { count, protocol, warmUp, times }
// Holds a table of `count` services as the agent does, monitor and all, and adds one after the other, `times` of which
// count. Prints as JSON { load, add, processor, writes }: milliseconds until the table stood, until each service more
// did, of processor time for each of these in all processes, and how often the kernel was then written to in as many
// looks at what had not changed.
import { setTimeout as delay } from 'node:timers/promises'
import { runCommand } from '../../lib/command.ts'
import { firewall } from '../../netfilter/firewall.ts'
import { watchTable } from '../../netfilter/nftables/monitor.ts'
import { nftables } from '../../netfilter/nftables/nftables.ts'
import { processorTime } from '../egress/processor-time.ts'
import type { ForwardingTable } from '../../netfilter/table.ts'
import { service, services, tableOf, type Service } from '../egress/services.ts'

type Settings = { count: number; protocol: Service['protocol']; warmUp: number; times: number }
const { count, protocol, warmUp, times } = JSON.parse(process.argv[2] ?? '{}') as Settings

const own = '100.64.255.1'
const rules = firewall({ nft: nftables(runCommand), run: runCommand, isGone: () => false, localAddresses: () => [] })
const over = new AbortController()
let generations = 0
const listener = rules.listener(() => {})
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
  void watchTable(heard, over.signal)
})

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const all = services(count)
const table = (more: number): ForwardingTable =>
  tableOf([...all, ...Array.from({ length: more }, (_, n) => service(count + n, protocol))], own)
await begun
const load = await timed(() => rules.ensure(table(0)))
// After much has changed the monitor is started anew, and then all is read once more.
await delay(1500)
await rules.ensure(table(0))

const tables = Array.from({ length: warmUp + times }, (_, n) => table(n + 1))
for (const next of tables.slice(0, warmUp)) await rules.ensure(next)
const add: number[] = []
const used = processorTime(process.pid)
for (const next of tables.slice(warmUp)) add.push(await timed(() => rules.ensure(next)))
const processor = (processorTime(process.pid) - used) / times
const written = generations
for (let n = 0; n < times; n += 1) await rules.ensure(table(warmUp + times))
await delay(300)
process.stdout.write(JSON.stringify({ load, add, processor, writes: generations - written }))
over.abort()
