import { type Family, familyName } from '../../lib/address.ts'
import { CommandError, type RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import type { ForwardingTable } from '../table.ts'
import { withoutCounts } from './listing.ts'
import { ownChains, rulesOf, tableNames } from './rules.ts'

/** Both write the same rules: into nf_tables, or into the kernel's older tables. */
export const variants = ['nft', 'legacy'] as const
export type Variant = (typeof variants)[number]

/** The boundary to the kernel, for one address family. */
export type Iptables = {
  readonly family: Family
  /** For example `ip6tables-legacy`. */
  readonly name: string
  /** Changes our chains. The input for one table is applied completely or not at all. */
  readonly restore: (input: string) => Promise<void>
  /** Lists all tables without counters, so that equal listings mean equal rules. */
  readonly save: () => Promise<string>
}

/** How long to wait for the lock, which other programs normally hold for a moment. In seconds. */
const longestWait = 5

/** The comment of iptables-nft-save in place of a table with rules that iptables does not have; it exits with 0. */
const unlistedTable = new RegExp(`^# Table \`(${tableNames.join('|')})' is incompatible`, 'm')
const foreignTable =
  'Another program has put rules into this table with nft; remove them, or set TS_DEBUG_FIREWALL_MODE=nftables.'

/** Runs the iptables programs of a family. Every failure is a CulvertError `netfilter` with their error message. */
export function iptables(run: RunCommand, family: Family, variant: Variant): Iptables {
  const name = `${family === 4 ? 'iptables' : 'ip6tables'}-${variant}`
  const withRemedy = async (ended: Promise<string>): Promise<string> => {
    try {
      return await ended
    } catch (cause) {
      const remedy = remedyOf(cause)
      const options = { cause, ...(remedy !== undefined && { remedy }) }
      throw new CulvertError('netfilter', `the kernel’s ${familyName(family)} rules could not be reached`, options)
    }
  }
  return {
    family,
    name,
    restore: async (input) => {
      await withRemedy(run(`${name}-restore`, ['--noflush', '--wait', String(longestWait)], { input }))
    },
    save: async () => {
      const listing = await withRemedy(run(`${name}-save`, []))
      const [, unlisted] = unlistedTable.exec(listing) ?? []
      if (unlisted === undefined) return withoutCounts(listing)
      throw new CulvertError('netfilter', `the kernel’s ${familyName(family)} table ${unlisted} cannot be listed`, {
        remedy: foreignTable,
      })
    },
  }
}

const stderrOf = (error: unknown): string => (error instanceof CommandError ? error.stderr : '')

/** Whether a program failed because another one held the lock, which says nothing about the kernel. */
export const isLocked = (error: unknown): boolean => /holding the xtables lock/i.test(stderrOf(error))

/** The remedy for a known failure. */
function remedyOf(error: unknown): string | undefined {
  const stderr = stderrOf(error)
  if (isLocked(error)) {
    return `Another program has held the lock of the tables (xtables.lock) for ${longestWait} s; find and stop it.`
  }
  if (/open lock file/i.test(stderr)) return 'Mount a writable volume, such as an emptyDir, at /run, where the lock is.'
  if (/incompatible, use 'nft' tool/.test(stderr)) return foreignTable
  return undefined
}

const scratch = `${ownChains}PROBE`

/** Checks that the rules of a table can be created here, by creating and deleting them in a chain without jumps to it. */
export async function probeIptables({ family, restore }: Iptables, table: ForwardingTable): Promise<void> {
  const rules = rulesOf(table, family)
  const tables = tableNames.toReversed().flatMap((name) => {
    const toOwn = new RegExp(` -[jg] ${ownChains}`)
    const all = [...rules[name].chains.values()].flat().filter((rule) => !toOwn.test(` ${rule}`))
    const [begin, end] = [[`*${name}`, `:${scratch} - [0:0]`], ['COMMIT']]
    return [...begin, ...all.map((rule) => `-A ${scratch} ${rule}`), ...end, ...begin, `-X ${scratch}`, ...end]
  })
  await restore(`${tables.join('\n')}\n`)
}
