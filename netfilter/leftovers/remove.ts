import { familyName } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { applyInput } from '../nftables/nftables.ts'
import { findLeftovers, type Leftover, mayHold } from './find.ts'
import { readListing } from './listing.ts'
import { findRules, type LeftRule, renderRemoval } from './rules.ts'

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
    log(
      `removed what another agent left in this network namespace: ${named(found.filter(({ kind }) => kind === 'rule'))}`,
    )
    return found
  } catch (error) {
    throw notRemoved(error)
  }
}

/**
 * The same for what it left in the form of iptables, by either variant, whichever firewall is ours. A variant that cannot
 * be used here has left nothing.
 * @throws CulvertError `netfilter`; may be tried again.
 */
export async function removeRules(run: RunCommand, log: Log): Promise<void> {
  const list = (program: string): Promise<LeftRule[]> => run(`${program}-save`, []).then(findRules, () => [])
  const removed = await Promise.all(
    programs.map(async ({ program, family }) => ({ program, family, found: await list(program) })),
  )
  const found = removed.flatMap(({ family, found: rules }) => rules.map(({ what }) => ({ family, what })))
  if (found.length === 0) return
  try {
    for (const { program, found: rules } of removed) {
      if (rules.length === 0) continue
      await run(`${program}-restore`, ['--noflush', '--wait', '5'], { input: renderRemoval(rules) })
      const still = await list(program)
      if (still.length > 0) throw new Error(`still there: ${still.map(({ what }) => what).join('; ')}`)
    }
    log(`removed what another agent left in this network namespace: ${named(found)}`)
  } catch (error) {
    throw notRemoved(error)
  }
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
    log(`table ${family} ${table} has ${held.length} chains: what another agent may have left in it is not looked for`)
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
