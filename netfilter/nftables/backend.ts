import type { Log } from '../../lib/log.ts'
import type { BackendOptions, KernelBackend } from '../firewall.ts'
import { keeper } from './keeper.ts'
import { type Listener, watchTable } from './monitor.ts'
import { announceNothing, applyInput, nftables, probeNftables } from './nftables.ts'
import { everything } from '../probes.ts'
import { tableName } from './render.ts'
import { trafficCounters } from './traffic.ts'
import { events } from '../log-events.ts'

/** Forwards with nftables. */
export function nftablesBackend({ run, runAhead, families, localAddresses, log }: BackendOptions): KernelBackend {
  const nft = nftables(run, runAhead('nft', applyInput))
  let changed = (_by?: string): void => {}
  const { listener, ...firewall } = keeper({ nft, run, localAddresses, changed: (by) => changed(by) })
  const traffic = trafficCounters(run)
  return {
    name: 'nftables',
    reason: 'its rules could be made and deleted here',
    families,
    firewall: {
      ...firewall,
      remove: async () => {
        // Even if the counters cannot be removed, which nothing depends on.
        await Promise.all([firewall.remove(), traffic.remove().catch(() => {})])
      },
    },
    traffic,
    watch: (look, signal) => {
      changed = (by) => {
        if (by !== undefined) log(events.changed({ table: tableName, program: by }))
        look()
      }
      return watchTable(saying(listener, log), { announce: () => announceNothing(nft) }, signal)
    },
    removeLeftovers: async () => {
      // Imported when the rules are in place: it needs those of iptables, which take some ms of a start.
      const { removeLeftovers, removeRules } = await import('../leftovers/remove.ts')
      await Promise.all([removeLeftovers(run, log), removeRules(run, log)])
    },
    // Most changes list the connections, which iptables can do without.
    check: () => Promise.all([probeNftables(nft, everything), run('conntrack', ['-C'])]),
    spreadModule: 'nft_numgen',
    probe: async (table) => probeNftables(nft, table),
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
      if (why !== undefined && why !== logged) log(events.monitorEnded({ why }))
      logged = why
      listener.ended(why)
    },
  }
}
