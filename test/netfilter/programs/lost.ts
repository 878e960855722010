// Runs in a host: node lost.ts
// Applies a table as the agent does, then stops the monitor and makes so many transactions as another program that the
// kernel drops announcements. A dropped one removes an element of our table. Prints as JSON { reported, held }: what
// the listener and the keeper's owner were called with since, and whether the element is back after the next `ensure`.
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { runCommand } from '../../../lib/command.ts'
import { type StartProgram, startProgram } from '../../../lib/program.ts'
import { keeper } from '../../../netfilter/nftables/keeper.ts'
import { watchTable } from '../../../netfilter/nftables/monitor.ts'
import { announceNothing, applyInput, nftables } from '../../../netfilter/nftables/nftables.ts'
import { ingressTable } from '../tables.ts'

const nft = nftables(runCommand)
const reported: string[] = []
const rules = keeper({
  nft,
  run: runCommand,
  localAddresses: () => [],
  changed: (by) => void reported.push(`changed ${by}`),
})
const alive = () => false
const over = new AbortController()
let pid: number | undefined
let begun = Promise.withResolvers<void>()
const start: StartProgram = (...command) => {
  const child = startProgram(...command)
  pid = child.pid
  return child
}
const listener = {
  ...rules.listener,
  begun: () => {
    reported.push('begun')
    rules.listener.begun()
    begun.resolve()
  },
  ended: (why?: string) => {
    reported.push(`ended: ${why}`)
    rules.listener.ended(why)
  },
}
void watchTable(listener, { start, announce: () => announceNothing(nft) }, over.signal)
await begun.promise

const table = ingressTable([['100.64.0.1', '10.0.0.9']])
await rules.ensure(table, alive)
// What was announced so far has been read.
while (!(await isAllRead())) await delay(10)
reported.length = 0
begun = Promise.withResolvers<void>()

const change = (transaction: string) => runCommand('nft', applyInput, { input: transaction })
await change('table ip other { set many { type ipv4_addr; }\n }\n')
const many = Array.from({ length: 30_000 }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`).join(', ')
process.kill(pid!, 'SIGSTOP')
for (let verb = 'add'; !(await hasDropped()); verb = verb === 'add' ? 'delete' : 'add') {
  await change(`${verb} element ip other many { ${many} }\n`)
}
await change('delete element inet culvert ingress4 { 100.64.0.1 }\n')
process.kill(pid!, 'SIGCONT')
await begun.promise
// An announcement of what follows may be late, and would be told, too.
const told = [...reported]
await rules.ensure(table, alive)
const held = (await nft.list())?.elements.get('ingress4')?.get('100.64.0.1')
over.abort()
process.stdout.write(JSON.stringify({ reported: told, held }))

/**
 * The sockets of the monitor, each as the columns of /proc/net/netlink: … process, groups, queued bytes, …, dropped.
 */
async function sockets(): Promise<string[][]> {
  const listed = (await readFile('/proc/net/netlink', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/))
  return listed.filter(([, , owner]) => owner === String(pid))
}

async function hasDropped(): Promise<boolean> {
  return (await sockets()).some((columns) => Number(columns[8]) > 0)
}

async function isAllRead(): Promise<boolean> {
  return (await sockets()).every(([, , , , queued]) => queued === '0')
}
