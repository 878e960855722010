import { type Family, familyName } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { Backend, BackendOptions } from '../firewall.ts'
import { removeLeftovers, removeRules } from '../leftovers/remove.ts'
import { type Iptables, iptables, probeIptables, variants } from './iptables.ts'
import { keeper } from './keeper.ts'
import { watchRules } from './watch.ts'

/**
 * Forwards by iptables: each family by the first variant that works for it.
 * @throws CulvertError `netfilter`, with what each variant said, where none works for any family.
 */
export async function iptablesBackend({ run, families, localAddresses, log }: BackendOptions): Promise<Backend> {
  const tried: Tried[] = []
  // One after the other, since they have one lock.
  for (const family of families) tried.push(await tryVariants(run, family))
  const usable = tried.flatMap(({ found }) => found ?? [])
  if (usable.length === 0) throw new CulvertError('netfilter', tried.flatMap(({ problems }) => problems).join('; '))
  const unfollowed = await run('conntrack', ['-L', '-f', 'ipv4']).then(() => undefined, describe)
  if (unfollowed !== undefined) log(`warning: connections are neither listed nor ended: ${unfollowed}`)
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
      await removeRules(run, log)
      // Where nft cannot be used, nothing was left by it.
      const nftWorks = await run('nft', ['list', 'tables']).then(
        () => true,
        () => false,
      )
      if (nftWorks) await removeLeftovers(run, log)
    },
  }
}

/** The variant that works for a family, and what those said that do not. */
type Tried = { readonly family: Family; readonly found?: Iptables; readonly problems: readonly string[] }

async function tryVariants(run: RunCommand, family: Family): Promise<Tried> {
  const problems: string[] = []
  for (const variant of variants) {
    const one = iptables(run, family, variant)
    try {
      await probeIptables(one)
      return { family, found: one, problems }
    } catch (error) {
      problems.push(`${one.name}: ${describe(error)}`)
    }
  }
  return { family, problems }
}
