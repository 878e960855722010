import { networkInterfaces } from 'node:os'
import { runCommand } from '../../lib/command.ts'
import type { Log } from '../../lib/log.ts'
import { every } from '../../lib/timers.ts'
import { firewall } from '../../netfilter/firewall.ts'
import { removeLeftovers } from '../../netfilter/leftovers/remove.ts'
import { memoryFirewall } from '../../netfilter/memory.ts'
import { watchTable } from '../../netfilter/nftables/monitor.ts'
import type { Nftables } from '../../netfilter/nftables/nftables.ts'
import { runFacet } from '../world/reconciler.ts'
import { forwardingFacet, forwardingName, isGone } from './reconciler.ts'
import { reportTargets } from './report.ts'
import type { Stoppable } from '../lifecycle/stop.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'

type Parts = {
  readonly store: Store
  readonly nft: Nftables
  readonly log: Log
  readonly waits: Waits
  readonly parts: Stoppable
  readonly signal: AbortSignal
}

/**
 * Keeps the forwarding rules, and says what is forwarded. Resolves once the guard is in place, which must be before
 * tailscaled sends its first packet.
 */
export async function keepForwarding({ store, nft, log, waits, parts, signal }: Parts): Promise<void> {
  const { fakeNetfilter } = store.world.settings
  const rules = fakeNetfilter
    ? memoryFirewall()
    : firewall({ nft, run: runCommand, isGone: isGone(() => store.world), localAddresses })
  parts.firewall = rules
  // Until ours stand, those that upstream's agent left in this network namespace may carry traffic.
  const standing = async (): Promise<unknown> => !fakeNetfilter && removeLeftovers(runCommand, log)
  const facet = runFacet(forwardingFacet(rules, standing), { store, log, waits, signal })
  parts.facets.push(facet)
  await store.until(({ facets }) => facets[forwardingName]?.verifiedAt !== undefined, signal)
  reportTargets(store, log, signal)
  let seen: unknown
  store.watch(() => {
    const { peers } = store.world.tailnet
    if (peers !== seen && rules.overdue()) facet.recheck()
    seen = peers
  }, signal)
  if (fakeNetfilter) return
  const changed = (by?: string): void => {
    if (by !== undefined) log(`the table inet culvert was changed by ${by}: looking what is left of it`)
    facet.recheck()
  }
  const listener = rules.listener(changed)
  const ended = (why?: string): void => {
    if (why !== undefined) log(`warning: nft monitor ended (${why}); it is started again`)
    listener.ended(why)
  }
  void watchTable({ ...listener, ended }, signal)
  every(waits.reread, signal, () => {
    rules.suspect()
    facet.recheck()
  })
}

const localAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address))
