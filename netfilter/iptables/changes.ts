import { isDeepStrictEqual } from 'node:util'
import type { Held, HeldTable } from './listing.ts'
import { type Rules, type TableName, tableNames, type TableRules } from './rules.ts'

/** What differs in one of the kernel's tables. */
export type Change = {
  readonly table: TableName
  /** The chains that differ, also by who jumps into them, and those that are too many. */
  readonly chains: readonly string[]
  /** What makes them as they should be, as input of `iptables-restore --noflush`. */
  readonly commands: readonly string[]
}

/** What turns the rules that are held into those that are wanted; nothing is said of what is right already. */
export const changes = (held: Held, wanted: Rules): readonly Change[] =>
  tableNames.flatMap((table) => {
    const change = tableChange(table, held[table], wanted[table])
    return change.commands.length === 0 ? [] : [change]
  })

function tableChange(table: TableName, held: HeldTable, wanted: TableRules): Change {
  const differing = [...wanted.chains].filter(([name, rules]) => !isDeepStrictEqual(held.chains.get(name), rules))
  const superfluous = [...held.chains.keys()].filter((name) => !wanted.chains.has(name))
  const right = new Set(
    wanted.jumps.flatMap(({ from, to, first }) => {
      const [found, ...more] = held.jumps.filter((jump) => jump.to === to)
      const fits = found?.from === from && found.rule === `-j ${to}` && !(first && found.position > 0)
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
      // A chain that is there already is emptied by that.
      ...emptied.map((name) => `:${name} - [0:0]`),
      ...differing.flatMap(([name, rules]) => rules.map((rule) => `-A ${name} ${rule}`)),
      ...wrong.map(({ from, rule }) => `-D ${from} ${rule}`),
      ...missing.map(({ from, to }) => `-I ${from} 1 -j ${to}`),
      ...superfluous.map((name) => `-X ${name}`),
    ],
  }
}

/** One input for all tables, each of which is changed completely or not at all. */
export const renderChanges = (list: readonly Change[]): string =>
  list.map(({ table, commands }) => [`*${table}`, ...commands, 'COMMIT', ''].join('\n')).join('')

const nothing: TableRules = { jumps: [], chains: new Map() }
/** Without any rule of ours. */
export const noRules: Rules = { mangle: nothing, filter: nothing, nat: nothing }

/** What differs, for people. */
export const named = (list: readonly Change[]): string =>
  list.map(({ table, chains }) => `${chains.join(', ')} of the table ${table}`).join('; ')
