import type { ForwardingTable } from '../table.ts'
import { chains, type Shape } from './chains.ts'
import { type Change, changes, declarations, element, type Elements, elementsOf, noElements } from './elements.ts'

/** The one table that is ours; no other is ever touched. */
export const tableName = 'culvert'

/** The table without elements, as commands that add what of it is not there. */
export function renderSkeleton(shape: Shape): string {
  const bodies = chains(shape).map(
    ({ name, hook, rules }) => `chain ${name} {\n    ${[`${hook}; policy accept;`, ...rules].join('\n    ')}\n  }`,
  )
  return [
    `table inet ${tableName} {`,
    ...[...declarations.map(({ text }) => text), ...bodies].map((part) => `  ${part}`),
    '}',
    '',
  ].join('\n')
}

/** The whole table as one transaction, whether or not there is one. */
export const renderTable = (table: ForwardingTable, elements: Elements = elementsOf(table)): string =>
  // nft 1.0.6 has no `destroy`: declared first, the table can be deleted in either case.
  `table inet ${tableName}\ndelete table inet ${tableName}\n` +
  renderSkeleton(table) +
  renderChanges(changes(noElements, elements))

/**
 * Other rules and elements for a table that has our chains and sets, as one transaction, by which each packet is judged by
 * the former or by these. By `renderTable` one may be judged by neither: former rules look into a map that is gone.
 */
export const renderExchange = (table: ForwardingTable, from: Elements, to: Elements): string =>
  `flush table inet ${tableName}\n` + renderSkeleton(table) + renderChanges(changes(from, to))

const commentOf = (rule: string): string => / comment "(.*)"$/.exec(rule)?.[1] ?? ''

/** The names of chains and the comments of their rules, in order: what a read-back must hold. */
export const outline = (shape: Shape): string[] =>
  chains(shape).flatMap(({ name, rules }) => [name, ...rules.map((rule) => `${name}: ${commentOf(rule)}`)])

/** What of an outline is announced by these lines of `nft monitor`: the rules that were added. */
export const announcedRules = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => {
    const [, chain, rule] = /^add rule inet \w+ (\w+) (.*)/.exec(line) ?? []
    return chain === undefined ? [] : [`${chain}: ${commentOf(rule ?? '')}`]
  })

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
