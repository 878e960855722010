import type { Firewall } from './firewall.ts'
import { emptyTable, type ForwardingTable, removedTranslations } from './table.ts'

/** A firewall that holds the table and nothing else, for suites that run on a machine which is not theirs (agent.md §12). */
export function memoryFirewall(): Firewall {
  let held: ForwardingTable = emptyTable
  let prepared = false
  const equal = (one: ForwardingTable, other: ForwardingTable): boolean =>
    one.masquerade === other.masquerade &&
    [...removedTranslations(one, other), ...removedTranslations(other, one)].length === 0
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
    remove: async () => {
      held = emptyTable
    },
  }
}
