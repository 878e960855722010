import { isDeepStrictEqual } from 'node:util'
import type { Held, HeldTable } from './listing.ts'
import { jumpRule, type Rules, type TableName, tableNames, type TableRules } from './rules.ts'

/** The differences in one of the kernel's tables. */
export type Change = {
  readonly table: TableName
  /** The chains whose rules or jumps differ, and superfluous ones. */
  readonly chains: readonly string[]
  /** Commands that correct them, as input for `iptables-restore --noflush`. */
  readonly commands: readonly string[]
}

/** The changes from the rules in the kernel to the desired ones; nothing for tables that are already correct. */
export const changes = (held: Held, wanted: Rules): readonly Change[] =>
  tableNames.flatMap((table) => {
    const change = tableChange(table, held[table], wanted[table])
    return change.commands.length === 0 ? [] : [change]
  })

function tableChange(table: TableName, held: HeldTable, wanted: TableRules): Change {
  const differing = [...wanted.chains].filter(([name, rules]) => !isDeepStrictEqual(held.chains.get(name), rules))
  const superfluous = [...held.chains.keys()].filter((name) => !wanted.chains.has(name))
  const right = new Set(
    wanted.jumps.flatMap((jump) => {
      const { from, to, first = false } = jump
      const [found, ...more] = held.jumps.filter((one) => one.to === to)
      const fits = found?.from === from && found.rule === jumpRule(jump) && !(first && found.position > 0)
      return fits && more.length === 0 ? [to] : []
    }),
  )
  const wrong = held.jumps.filter(({ to }) => !right.has(to))
  const missing = wanted.jumps.filter(({ to }) => !right.has(to))
  const emptied = [...differing.map(([name]) => name), ...superfluous]
  return {
    table,
    chains: [...new Set([...emptied, ...wrong.map(({ to }) => to), ...missing.map(({ to }) => to)])],
    commands: [
      // This also empties an existing chain.
      ...emptied.map((name) => `:${name} - [0:0]`),
      ...differing.flatMap(([name, rules]) => rules.map((rule) => `-A ${name} ${rule}`)),
      ...wrong.map(({ from, rule }) => `-D ${from} ${rule}`),
      ...missing.map((jump) => `-I ${jump.from} 1 ${jumpRule(jump)}`),
      ...superfluous.map((name) => `-X ${name}`),
    ],
  }
}

/** Whether all rules are as desired, besides the place of jumps among rules of others. */
export const differOnlyInOrder = (held: Held, wanted: Rules): boolean =>
  tableNames.every((table) => {
    const { jumps, chains } = wanted[table]
    const anywhere = { chains, jumps: jumps.map((jump) => ({ ...jump, first: false })) }
    return tableChange(table, held[table], anywhere).commands.length === 0
  })

/** One input for all tables, each of which is changed completely or not at all. */
export const renderChanges = (list: readonly Change[]): string =>
  list.map(({ table, commands }) => [`*${table}`, ...commands, 'COMMIT', ''].join('\n')).join('')

const nothing: TableRules = { jumps: [], chains: new Map() }
/** No rules of ours. */
export const noRules: Rules = { mangle: nothing, filter: nothing, nat: nothing }

/** Describes the differences for people. */
export const named = (list: readonly Change[]): string =>
  list.map(({ table, chains }) => `${chains.join(', ')} of the table ${table}`).join('; ')
