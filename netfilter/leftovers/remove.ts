import { familyName } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { applyInput } from '../nftables/nftables.ts'
import { findLeftovers, type Leftover, mayHold } from './find.ts'
import { readListing } from './listing.ts'

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
    log(`removed what another agent left in this network namespace: ${named(found)}`)
    return found
  } catch (error) {
    throw new CulvertError(
      'netfilter',
      'rules that another agent left in this network namespace could not be removed',
      {
        cause: error,
        remedy: 'They may take traffic that is meant for this agent; delete the Pod: the next one begins without them.',
      },
    )
  }
}

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

/** What the rules do, without duplicates: each restart of that agent adds equal ones. */
function named(leftovers: readonly Leftover[]): string {
  const rules = leftovers.filter(({ kind }) => kind === 'rule')
  const all = [...new Set(rules.map(({ family, what }) => `${what} (${familyName(family === 'ip' ? 4 : 6)})`))]
  const more = all.length - mostNamed
  return [...all.slice(0, mostNamed), ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}
