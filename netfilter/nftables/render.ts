import type { ForwardingTable } from '../table.ts'
import { chains, type Shape } from './chains.ts'
import { type Change, changes, declarations, element, type Elements, elementsOf } from './elements.ts'

/** The one table that is ours; no other is ever touched. */
export const tableName = 'culvert'

/** The rules without elements, as one transaction that replaces the table, whether or not it exists. */
export function renderSkeleton(shape: Shape): string {
  const bodies = chains(shape).map(
    ({ name, hook, rules }) => `chain ${name} {\n    ${[`${hook}; policy accept;`, ...rules].join('\n    ')}\n  }`,
  )
  // nft 1.0.6 has no `destroy`: declared first, the table can be deleted in either case.
  return [
    `table inet ${tableName}`,
    `delete table inet ${tableName}`,
    `table inet ${tableName} {`,
    ...[...declarations.map(({ text }) => text), ...bodies].map((part) => `  ${part}`),
    '}',
    '',
  ].join('\n')
}

/** The names of chains and the comments of their rules, in order: what a read-back must hold. */
export const outline = (shape: Shape): string[] =>
  chains(shape).flatMap(({ name, rules }) => [
    name,
    ...rules.map((rule) => `${name}: ${/ comment "(.*)"$/.exec(rule)?.[1] ?? ''}`),
  ])

/** Changes as commands of a transaction, in their order; consecutive ones of a set are one command. */
export function renderChanges(list: readonly Change[]): string {
  const commands: string[] = []
  for (let start = 0, end = 0; start < list.length; start = end) {
    const { verb, set } = list[start]!
    while (list[end]?.verb === verb && list[end]?.set === set) end += 1
    // The key alone names an element that is to go.
    const elements = list.slice(start, end).map((change) => (verb === 'add' ? element(change) : change.key))
    commands.push(`${verb} element inet ${tableName} ${set} { ${elements.join(', ')} }\n`)
  }
  return commands.join('')
}

/** The lines with which `nft monitor` announces these changes, in their order. */
export const announcement = (list: readonly Change[]): string[] =>
  list.map((change) => `${change.verb} element inet ${tableName} ${change.set} { ${element(change)} }`)

/** The whole table as one transaction. */
export const renderTable = (table: ForwardingTable, elements: Elements = elementsOf(table)): string =>
  renderSkeleton(table) + renderChanges(changes(new Map(), elements))
