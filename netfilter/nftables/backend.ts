import type { Log } from '../../lib/log.ts'
import type { Backend, BackendOptions } from '../firewall.ts'
import { removeLeftovers, removeRules } from '../leftovers/remove.ts'
import { keeper } from './keeper.ts'
import { type Listener, watchTable } from './monitor.ts'
import { announceNothing, applyInput, nftables } from './nftables.ts'
import { tableName } from './render.ts'

/**
 * Forwards with nftables. Whether it can be used is shown by the guard, which comes first in any case: a test of its own
 * would cost each start 20 ms.
 */
export function nftablesBackend({ run, runAhead, families, localAddresses, log }: BackendOptions): Backend {
  const nft = nftables(run, runAhead('nft', applyInput))
  let changed = (_by?: string): void => {}
  const { listener, ...firewall } = keeper({ nft, run, localAddresses, changed: (by) => changed(by) })
  return {
    name: 'nftables',
    reason: 'its rules could be made here',
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

/** Logs why a monitor ended, once per reason until another one has started. */
function saying(listener: Listener, log: Log): Listener {
  let logged: string | undefined
  return {
    ...listener,
    begun: () => {
      logged = undefined
      listener.begun()
    },
    ended: (why) => {
      if (why !== undefined && why !== logged) log(`warning: nft monitor ended (${why}); it is started again`)
      logged = why
      listener.ended(why)
    },
  }
}
