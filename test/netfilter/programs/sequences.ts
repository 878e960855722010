// Runs in a host: node sequences.ts
// Applies random tables one after the other as the agent does, with a monitor, and compares the kernel's content with
// each. The tables of a sequence have the same rules, so that only elements change, and every other one only gains TCP
// ports, for which no flow ends. Prints as JSON { changed, listed, mistaken }: the number of changes, how often the
// table was listed for them, and how often an own transaction was mistaken for that of another program.
import { deepStrictEqual } from 'node:assert'
import * as fc from 'fast-check'
import type { Family } from '../../../lib/address.ts'
import { runAhead, runCommand } from '../../../lib/command.ts'
import { elementsOf } from '../../../netfilter/nftables/elements.ts'
import { keeper } from '../../../netfilter/nftables/keeper.ts'
import { watchTable } from '../../../netfilter/nftables/monitor.ts'
import { announceNothing, applyInput, nftables } from '../../../netfilter/nftables/nftables.ts'
import { byFamily, forwardingTable, type ForwardingTable } from '../../../netfilter/table.ts'
import { randomTable, withRulesOf } from '../random-table.ts'

const kernel = nftables(runCommand, runAhead('nft', applyInput))
let [changed, listed, mistaken] = [0, 0, 0]
const list: typeof kernel.list = () => {
  listed += 1
  return kernel.list()
}
const rules = keeper({
  nft: { ...kernel, list },
  run: runCommand,
  localAddresses: () => [],
  changed: (by) => {
    if (by !== undefined) mistaken += 1
  },
})
const alive = () => false
const over = new AbortController()
await new Promise<void>((resolve) => {
  const begun = (): void => {
    rules.listener.begun()
    resolve()
  }
  const announce = () => announceNothing(kernel)
  void watchTable({ ...rules.listener, begun }, { announce }, over.signal)
})

/** The table, plus the TCP ports of the other one that it lacks. */
const grown = (table: ForwardingTable, { ports }: ForwardingTable): ForwardingTable => {
  const tcp = (family: Family) => [...ports[family]].filter(([key]) => key.startsWith('tcp'))
  return forwardingTable({
    ...table,
    ports: byFamily((family) => new Map([...tcp(family), ...table.ports[family]])),
  })
}

await fc.assert(
  fc.asyncProperty(randomTable, fc.array(randomTable, { minLength: 1, maxLength: 3 }), async (first, others) => {
    const before = listed
    await rules.ensure(first, alive)
    // The first may have other rules than the last table, and is then listed.
    listed = before
    const alike = others.map((other) => withRulesOf(first, other))
    for (const [index, table] of alike.entries()) {
      for (const next of [grown(alike[index - 1] ?? first, table), table]) {
        if (await rules.ensure(next, alive)) changed += 1
        deepStrictEqual((await kernel.list())?.elements, elementsOf(next))
      }
    }
  }),
  { numRuns: 20 },
)
over.abort()
process.stdout.write(JSON.stringify({ changed, listed, mistaken }))
