import type { Log } from '../../lib/log.ts'
import type { Backend, BackendOptions } from '../firewall.ts'
import { removeLeftovers, removeRules } from '../leftovers/remove.ts'
import { keeper } from './keeper.ts'
import { type Listener, watchTable } from './monitor.ts'
import { announceNothing, applyInput, nftables, probeNftables } from './nftables.ts'
import { tableName } from './render.ts'

/**
 * Forwards by nftables.
 * @throws CulvertError `netfilter` when it cannot be used here.
 */
export async function nftablesBackend({
  run,
  runAhead,
  families,
  localAddresses,
  log,
}: BackendOptions): Promise<Backend> {
  const nft = nftables(run, runAhead('nft', applyInput))
  await probeNftables(nft)
  let changed = (_by?: string): void => {}
  const { listener, ...firewall } = keeper({ nft, run, localAddresses, changed: (by) => changed(by) })
  return {
    name: 'nftables',
    reason: 'its rules could be made and deleted here',
    families,
    firewall,
    watch: (look, signal) => {
      changed = (by) => {
        if (by !== undefined) log(`the table inet ${tableName} was changed by ${by}: looking what is left of it`)
        look()
      }
      return watchTable(saying(listener, log), { announce: () => announceNothing(nft) }, signal)
    },
    removeLeftovers: async () => {
      await Promise.all([removeLeftovers(run, log), removeRules(run, log)])
    },
  }
}

/** Logs why a monitor ended, once per reason until another one has begun. */
function saying(listener: Listener, log: Log): Listener {
  let said: string | undefined
  return {
    ...listener,
    begun: () => {
      said = undefined
      listener.begun()
    },
    ended: (why) => {
      if (why !== undefined && why !== said) log(`warning: nft monitor ended (${why}); it is started again`)
      said = why
      listener.ended(why)
    },
  }
}
