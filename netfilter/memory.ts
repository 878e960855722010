import { isDeepStrictEqual } from 'node:util'
import type { Firewall } from './firewall.ts'
import { emptyTable, type ForwardingTable } from './table.ts'

/** A firewall that only stores the table, for test suites that must not touch the machine's network. */
export function memoryFirewall(): Firewall {
  let cached: ForwardingTable = emptyTable
  let prepared = false
  return {
    ensure: async (table) => {
      const changed = !isDeepStrictEqual(cached, table)
      cached = table
      return changed
    },
    prepare: async () => {
      const changed = !prepared
      prepared = true
      return changed
    },
    endFlows: async () => 0,
    remove: async () => {
      cached = emptyTable
    },
    overdue: () => false,
    invalidate: () => {},
  }
}
