import { CulvertError } from '../../lib/errors.ts'
import type { Service } from './services.ts'

/** The lines of each chain, including its hook, by table and chain: `ip nat` and `POSTROUTING`. */
export type Listing = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

/**
 * Parses the output of `nft list ruleset`, without counters.
 * @throws CulvertError `command` when it has more than tables and chains.
 */
export function parseListing(text: string): Listing {
  const tables = new Map<string, Map<string, string[]>>()
  let chains = new Map<string, string[]>()
  let lines: string[] = []
  for (const line of text.split('\n')) {
    const [, table, chain, inner] = /^table (.*) \{$|^\tchain (\S+) \{$|^\t\t(.*)$/.exec(line) ?? []
    if (table !== undefined) tables.set(table, (chains = new Map()))
    else if (chain !== undefined) chains.set(chain, (lines = []))
    else if (inner !== undefined) lines.push(inner.replace(/ packets \d+ bytes \d+/, ''))
    else if (!/^\t?\}?$|^#/.test(line)) throw new CulvertError('command', `unknown line of a ruleset: ${line}`)
  }
  return tables
}

export const renderListing = (listing: Listing): string =>
  [...listing]
    .map(([table, chains]) => {
      const bodies = [...chains].map(([chain, lines]) => `\tchain ${chain} {\n\t\t${lines.join('\n\t\t')}\n\t}\n`)
      return `table ${table} {\n${bodies.join('')}}\n`
    })
    .join('')

/** The ruleset with one service, and what a second one appends to it. */
export type Growth = {
  readonly base: Listing
  readonly first: Service
  readonly added: Listing
  readonly second: Service
}

/**
 * What the ruleset `base`, for the service `first`, has gained by `second` in `grown`.
 * @throws CulvertError `command` when something was inserted, changed or removed instead of appended.
 */
export function growthOf(base: Listing, first: Service, grown: Listing, second: Service): Growth {
  const added = new Map<string, Map<string, readonly string[]>>()
  for (const table of base.keys()) if (!grown.has(table)) throw notAppended(table)
  for (const [table, chains] of grown) {
    const before = base.get(table)
    for (const chain of before?.keys() ?? []) if (!chains.has(chain)) throw notAppended(`${table} ${chain}`)
    for (const [chain, lines] of chains) {
      const known = before?.get(chain) ?? []
      if (known.some((line, at) => line !== lines[at])) throw notAppended(`${table} ${chain}`)
      if (lines.length === known.length) continue
      const more = added.get(table) ?? new Map<string, readonly string[]>()
      added.set(table, more.set(chain, lines.slice(known.length)))
    }
  }
  return { base, first, added, second }
}

const notAppended = (where: string): CulvertError =>
  new CulvertError('command', `a service more did not leave ${where} as it was: how it grows cannot be told`)

/** The ruleset for `list`: each service appends the same as the known ones, with its own name, port and target. */
export function grow({ base, first, added, second }: Growth, list: readonly Service[]): Listing {
  const grown = new Map<string, Map<string, string[]>>()
  const append = (more: Listing, from: Service, to: Service): void => {
    const fits = substitution(from, to)
    for (const [table, chains] of more) {
      const here = grown.get(table) ?? new Map<string, string[]>()
      grown.set(table, here)
      for (const [chain, lines] of chains) {
        const name = fits(chain)
        const present = here.get(name)
        if (present === undefined) here.set(name, lines.map(fits))
        else present.push(...lines.map(fits))
      }
    }
  }
  for (const [at, service] of list.entries()) append(at === 0 ? base : added, at === 0 ? first : second, service)
  return grown
}

function substitution(from: Service, to: Service): (text: string) => string {
  const values = new Map([
    [from.name, to.name],
    [`${from.protocol} dport ${from.matchPort}`, `${to.protocol} dport ${to.matchPort}`],
    [from.target, to.target],
  ])
  const any = new RegExp([...values.keys()].map((text) => `(?<![\\w.])${RegExp.escape(text)}(?![\\w.])`).join('|'), 'g')
  return (text) => text.replace(any, (found) => values.get(found) ?? found)
}
