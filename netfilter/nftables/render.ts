import type { ForwardingTable } from '../table.ts'
import { chains, type Shape } from './chains.ts'
import { type Change, changes, declarations, element, type Elements, elementsOf, noElements } from './elements.ts'

/** The only table that we touch. */
export const tableName = 'culvert'

/** The table without elements, as commands that add its missing parts. */
export function renderSkeleton(shape: Shape, name = tableName): string {
  const bodies = chains(shape).map(
    (chain) => `chain ${chain.name} {\n    ${[`${chain.hook}; policy accept;`, ...chain.rules].join('\n    ')}\n  }`,
  )
  return [
    `table inet ${name} {`,
    ...[...declarations.map(({ text }) => text), ...bodies].map((part) => `  ${part}`),
    '}',
    '',
  ].join('\n')
}

/** The whole table as one transaction, whether or not it exists. */
export const renderTable = (table: ForwardingTable, elements: Elements = elementsOf(table)): string =>
  // nft 1.0.6 has no `destroy`: after a declaration the table can be deleted in either case.
  `table inet ${tableName}\ndelete table inet ${tableName}\n` + contents(table, elements)

/** The same, if no table exists; otherwise the transaction fails. It takes 3 ms, and one with a deletion 15. */
export const renderNewTable = (table: ForwardingTable, elements: Elements): string =>
  `create table inet ${tableName}\n` + contents(table, elements)

const contents = (table: ForwardingTable, elements: Elements): string =>
  renderSkeleton(table) + renderChanges(changes(noElements, elements))

/**
 * New rules and elements for a table that keeps our chains and sets, as one transaction: each packet meets the old
 * rules or the new ones. With `renderTable` a packet may meet neither, since the old rules look into a map that is
 * gone.
 */
export const renderExchange = (table: ForwardingTable, from: Elements, to: Elements): string =>
  `flush table inet ${tableName}\n` + renderSkeleton(table) + renderChanges(changes(from, to))

const commentOf = (rule: string): string => / comment "(.*)"$/.exec(rule)?.[1] ?? ''

/** The names of chains and the comments of their rules, in order: what a read-back must contain. */
export const outline = (shape: Shape): string[] =>
  chains(shape).flatMap(({ name, rules }) => [name, ...rules.map((rule) => `${name}: ${commentOf(rule)}`)])

/** The part of an outline that these lines of `nft monitor` announce: the added rules. */
export const announcedRules = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => {
    const [, chain, rule] = /^add rule inet \w+ (\w+) (.*)/.exec(line) ?? []
    return chain === undefined ? [] : [`${chain}: ${commentOf(rule ?? '')}`]
  })

/** Changes as commands of one transaction, in order; consecutive ones of a set become one command. */
export function renderChanges(list: readonly Change[]): string {
  const commands: string[] = []
  for (let start = 0, end = 0; start < list.length; start = end) {
    const { verb, set } = list[start]!
    while (list[end]?.verb === verb && list[end]?.set === set) end += 1
    // A deleted element is named by its key alone.
    const elements = list.slice(start, end).map((change) => (verb === 'add' ? element(change) : change.key))
    commands.push(`${verb} element inet ${tableName} ${set} { ${elements.join(', ')} }\n`)
  }
  return commands.join('')
}

/** The lines by which `nft monitor` announces these changes, in order. */
export const announcement = (list: readonly Change[]): string[] =>
  list.map((change) => `${change.verb} element inet ${tableName} ${change.set} { ${element(change)} }`)
