import type { Firewall } from './firewall.ts'
import { changes, elementsOf } from './nftables/elements.ts'
import { renderSkeleton } from './nftables/render.ts'
import { emptyTable, type ForwardingTable } from './table.ts'

/** A firewall that holds the table and nothing else, for suites that run on a machine which is not theirs (agent.md §12). */
export function memoryFirewall(): Firewall {
  let held: ForwardingTable = emptyTable
  let prepared = false
  const equal = (one: ForwardingTable, other: ForwardingTable): boolean =>
    renderSkeleton(one) === renderSkeleton(other) && changes(elementsOf(one), elementsOf(other)).length === 0
  const nothing = (): void => {}
  return {
    ensure: async (table) => {
      const changed = !equal(held, table)
      held = table
      return changed
    },
    prepare: async () => {
      const changed = !prepared
      prepared = true
      return changed
    },
    endFlows: async () => 0,
    remove: async () => {
      held = emptyTable
    },
    overdue: () => false,
    suspect: nothing,
    listener: () => ({ begun: nothing, generation: nothing, ended: nothing }),
  }
}
