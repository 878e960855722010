import { familyName } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { changes, noRules, renderChanges } from '../iptables/changes.ts'
import { readListing as readRules } from '../iptables/listing.ts'
import { applyInput } from '../nftables/nftables.ts'
import { tableName } from '../nftables/render.ts'
import { trafficTable } from '../nftables/traffic.ts'
import { findLeftovers, type Leftover, mayHold } from './find.ts'
import { readListing } from './listing.ts'
import { findRules, renderRemoval } from './rules.ts'
import { events } from '../log-events.ts'

/**
 * Tables with more chains are skipped: upstream's agent cannot create as many, so that they belong to a program such as
 * kube-proxy, in a Pod that shares the node's network.
 */
const mostChains = 4096
/** How many are named in the log. */
const mostNamed = 10

/**
 * Removes what upstream's agent left in this network namespace, in one transaction, and verifies it with another
 * listing. If nothing is found, nothing is written. Established flows continue.
 * @returns what was removed.
 * @throws CulvertError `netfilter`; may be tried again.
 */
export async function removeLeftovers(run: RunCommand, log: Log): Promise<readonly Leftover[]> {
  try {
    const tables = await tablesToSearch(run, log)
    const found = await search(run, tables)
    if (found.length === 0) return found
    await run('nft', applyInput, { input: removalOf(found) })
    const still = await search(run, tables)
    if (still.length > 0) throw new Error(`still there: ${named(still)}`)
    log(events.removedOther({ rules: named(found.filter(({ kind }) => kind === 'rule')) }))
    return found
  } catch (error) {
    throw notRemoved(error)
  }
}

/**
 * Does the same for iptables rules of either variant, whichever firewall the agent uses, and for those of an earlier
 * agent of ours that used another one. A variant that cannot be used here has left nothing.
 * @param inUse the programs that hold our present rules, such as `iptables-nft`.
 * @throws CulvertError `netfilter`; may be tried again.
 */
export async function removeRules(run: RunCommand, log: Log, inUse: readonly string[] = []): Promise<void> {
  const look = async ({ program, family }: (typeof programs)[number]) => {
    const listing = await run(`${program}-save`, []).catch(() => '')
    const earlier = inUse.includes(program) ? [] : changes(readRules(listing), noRules)
    return { program, family, found: findRules(listing), earlier: earlier.toReversed() }
  }
  const all = await Promise.all(programs.map(look))
  try {
    for (const one of all) {
      const { program, found, earlier } = one
      if (found.length === 0 && earlier.length === 0) continue
      const input = renderRemoval(found) + renderChanges(earlier)
      await run(`${program}-restore`, ['--noflush', '--wait', '5'], { input })
      const still = await look(one)
      const left = [...still.found.map(({ what }) => what), ...still.earlier.flatMap(({ chains }) => chains)]
      if (left.length > 0) throw new Error(`still there: ${left.join('; ')}`)
      if (earlier.length > 0) log(events.removedEarlier({ program }))
    }
    const found = all.flatMap((one) => one.found.map(({ what }) => ({ family: one.family, what })))
    if (found.length > 0) log(events.removedOther({ rules: named(found) }))
  } catch (error) {
    throw notRemoved(error)
  }
}

/** For an agent that uses iptables: what an earlier one wrote with nftables. `tables` is nft's list of them. */
export async function removeOwnTable(run: RunCommand, log: Log, tables: string): Promise<void> {
  const ours = new Set([tableName, trafficTable].map((name) => `table inet ${name}`))
  const left = tables.split('\n').filter((line) => ours.has(line))
  if (left.length === 0) return
  const input = left.map((table) => `delete ${table}\n`).join('')
  await run('nft', applyInput, { input }).catch((error: unknown) => {
    throw notRemoved(error)
  })
  log(events.removedEarlier({ program: 'nftables' }))
}

const programs = (['nft', 'legacy'] as const).flatMap((variant) => [
  { program: `iptables-${variant}`, family: 'ip' },
  { program: `ip6tables-${variant}`, family: 'ip6' },
])

const notRemoved = (cause: unknown): CulvertError =>
  new CulvertError('netfilter', 'rules that another agent left in this network namespace could not be removed', {
    cause,
    remedy: 'They may take traffic that is meant for this agent; delete the Pod: the next one begins without them.',
  })

/** The tables, by family and name, that may have such leftovers. */
async function tablesToSearch(run: RunCommand, log: Log): Promise<(readonly [family: string, table: string])[]> {
  const { chains } = readListing(await run('nft', ['-j', 'list', 'chains']))
  const tables = Map.groupBy(chains, ({ family, table }) => `${family} ${table}`)
  return [...tables.values()].flatMap((held) => {
    const candidate = held.find(mayHold)
    if (candidate === undefined) return []
    const { family, table } = candidate
    if (held.length <= mostChains) return [[family, table] as const]
    log(events.notSearched({ table: `${family} ${table}`, chains: held.length }))
    return []
  })
}

async function search(run: RunCommand, tables: readonly (readonly [string, string])[]): Promise<Leftover[]> {
  const listings: string[] = []
  // User data is only shown in the kernel's own form.
  for (const table of tables) listings.push(await run('nft', ['-j', '--debug=netlink', 'list', 'table', ...table]))
  return findLeftovers(listings.join('\n'))
}

/**
 * One transaction. Deleting a chain deletes its rules. It is named by its handle, since nft's language does not accept
 * every name, such as one that begins with a digit.
 */
export function removalOf(leftovers: readonly Leftover[]): string {
  const place = ({ family, table, chain }: Leftover): string => `${family} ${table} ${chain}`
  const whole = new Set(leftovers.filter(({ kind }) => kind === 'chain').map(place))
  const rules = leftovers.filter((leftover) => !whole.has(place(leftover)))
  const chains = leftovers.filter(({ kind }) => kind === 'chain')
  return [
    ...rules.map((rule) => `delete rule ${place(rule)} handle ${rule.handle}\n`),
    ...chains.map(({ family, table, handle }) => `delete chain ${family} ${table} handle ${handle}\n`),
  ].join('')
}

/** What rules do, without duplicates: each restart of that agent adds equal ones. */
function named(rules: readonly { readonly family: string; readonly what: string }[]): string {
  const all = [...new Set(rules.map(({ family, what }) => `${what} (${familyName(family === 'ip' ? 4 : 6)})`))]
  const more = all.length - mostNamed
  return [...all.slice(0, mostNamed), ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}
