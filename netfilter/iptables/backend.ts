import { type Family, familyName } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { BackendOptions, KernelBackend } from '../firewall.ts'
import { removeLeftovers, removeOwnTable, removeRules } from '../leftovers/remove.ts'
import { everything } from '../probes.ts'
import { type Iptables, iptables, isLocked, probeIptables, variants } from './iptables.ts'
import { keeper } from './keeper.ts'
import { watchRules } from './watch.ts'
import { events } from '../log-events.ts'

/**
 * Forwards with iptables: each family with the first variant that works for it.
 * @throws CulvertError `netfilter`, with the error of each variant, if none works for any family.
 */
export async function iptablesBackend({ run, families, localAddresses, log }: BackendOptions): Promise<KernelBackend> {
  const tried: Tried[] = []
  // One after the other, since they share a lock.
  for (const family of families) tried.push(await tryVariants(run, family))
  const usable = tried.flatMap(({ found }) => found ?? [])
  const [some] = usable
  if (some === undefined) throw new CulvertError('netfilter', tried.flatMap(({ problems }) => problems).join('; '))
  const unfollowed = await run('conntrack', ['-L', '-f', 'ipv4']).then(() => undefined, describe)
  if (unfollowed !== undefined) log(events.flowsUnknown({ problem: unfollowed }))
  const followsFlows = unfollowed === undefined
  const { look, ...firewall } = keeper({ iptables: usable, run, followsFlows, localAddresses })
  return {
    name: 'iptables',
    reason: [
      usable.map(({ family, name }) => `${name} for ${familyName(family)}`).join(' and '),
      ', whose rules could be made and deleted here',
      ...tried.flatMap(({ family, found, problems }) => {
        const missing = found === undefined ? [`no ${familyName(family)}: `] : []
        return problems.length === 0 ? [] : ['; ', ...missing, problems.join('; ')]
      }),
    ].join(''),
    families: usable.map(({ family }) => family),
    firewall,
    watch: (changed, signal) => watchRules(look, changed, log, signal),
    removeLeftovers: async () => {
      await removeRules(
        run,
        log,
        usable.map(({ name }) => name),
      )
      // If nft cannot be used, it cannot have left any rules.
      const tables = await run('nft', ['list', 'tables']).catch(() => undefined)
      if (tables === undefined) return
      await removeOwnTable(run, log, tables)
      await removeLeftovers(run, log)
    },
    // Done by now, since the variant depends on it.
    check: async () => {},
    spreadModule: 'xt_statistic',
    probe: async (table) => probeIptables(some, table),
  }
}

/** The variant that works for a family, and the errors of those that do not. */
type Tried = { readonly family: Family; readonly found?: Iptables; readonly problems: readonly string[] }

async function tryVariants(run: RunCommand, family: Family): Promise<Tried> {
  const problems: string[] = []
  for (const variant of variants) {
    const one = iptables(run, family, variant)
    try {
      await probeIptables(one, everything)
      await one.save()
      return { family, found: one, problems }
    } catch (error) {
      problems.push(`${one.name}: ${describe(error)}`)
      // The family would be left out until the agent ends.
      if (error instanceof CulvertError && isLocked(error.cause))
        throw new CulvertError('netfilter', problems.join('; '))
    }
  }
  return { family, problems }
}
