import { type Family, familyName } from '../../lib/address.ts'
import { CommandError, type RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import { emptyTable, type ForwardingTable, forwardingTable } from '../table.ts'
import { withoutCounts } from './listing.ts'
import { ownChains, rulesOf, tableNames } from './rules.ts'

/** Both write rules for the same packets: into nf_tables, or into the kernel's older tables. */
export const variants = ['nft', 'legacy'] as const
export type Variant = (typeof variants)[number]

/** The boundary to the kernel, for one address family. */
export type Iptables = {
  readonly family: Family
  /** Such as `ip6tables-legacy`. */
  readonly name: string
  /** Changes our chains. What the input says of one table is done completely or not at all. */
  readonly restore: (input: string) => Promise<void>
  /** All tables, without counts: equal listings are of equal rules. */
  readonly save: () => Promise<string>
}

/** Other programs hold the lock of the tables for a moment at a time. In seconds. */
const longestWait = 5

/** iptables of a family through its programs. Every failure is a CulvertError `netfilter` with what they said. */
export function iptables(run: RunCommand, family: Family, variant: Variant): Iptables {
  const name = `${family === 4 ? 'iptables' : 'ip6tables'}-${variant}`
  const told = async (ended: Promise<string>): Promise<string> => {
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
      await told(run(`${name}-restore`, ['--noflush', '--wait', String(longestWait)], { input }))
    },
    save: async () => withoutCounts(await told(run(`${name}-save`, []))),
  }
}

/** What can be done about a failure, where more is known of it than what the program said. */
function remedyOf(error: unknown): string | undefined {
  const said = error instanceof CommandError ? error.stderr : ''
  if (/holding the xtables lock/i.test(said)) {
    return `Another program has held the lock of the tables (xtables.lock) for ${longestWait} s; find and stop it.`
  }
  if (/open lock file/i.test(said)) return 'Mount a writable volume, such as an emptyDir, at /run, where the lock is.'
  if (/incompatible, use 'nft' tool/.test(said)) {
    return 'Another program has put rules into this table with nft; remove them, or set TS_DEBUG_FIREWALL_MODE=nftables.'
  }
  return undefined
}

/** A table that needs every kind of rule that we ever write. */
const everything: ForwardingTable = forwardingTable({
  ...emptyTable,
  ingress: { 4: new Map([['100.64.0.1', ['10.0.0.1']]]), 6: new Map([['fd7a:115c:a1e0::1', ['fd00::1']]]) },
  ports: { 4: new Map([['tcp . 1', '100.64.0.2 . 1']]), 6: new Map([['udp . 1', 'fd7a:115c:a1e0::2 . 1']]) },
  refuseUnmapped: true,
  catchAll: { 4: '100.64.0.2', 6: 'fd7a:115c:a1e0::2' },
  exempt: ['tcp . 1'],
  source: { 4: '100.64.0.1', 6: 'fd7a:115c:a1e0::1' },
})

const scratch = `${ownChains}PROBE`

/** Checks that the rules which we need can be made here, by making and deleting them in a chain that nobody enters. */
export async function probeIptables({ family, restore }: Iptables): Promise<void> {
  const rules = rulesOf(everything, family)
  const tables = tableNames.toReversed().flatMap((name) => {
    const all = [...rules[name].chains.values()].flat().filter((rule) => !rule.includes(`-j ${ownChains}`))
    const [begin, end] = [[`*${name}`, `:${scratch} - [0:0]`], ['COMMIT']]
    return [...begin, ...all.map((rule) => `-A ${scratch} ${rule}`), ...end, ...begin, `-X ${scratch}`, ...end]
  })
  await restore(`${tables.join('\n')}\n`)
}
