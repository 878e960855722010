import type { Backend } from '../../netfilter/backend.ts'
import type { Context } from '../world/context.ts'
import { reportOf } from '../world/reports.ts'
import { forwardingKey, forwardingReconciler, isGone } from './reconciler.ts'
import { reportTargets } from './report.ts'

/**
 * Keeps the forwarding rules, and logs what is forwarded. Resolves once the guard is in place, which must be before
 * tailscaled sends its first packet.
 */
export async function keepForwarding(context: Context, backend: Backend): Promise<void> {
  const { store, timings, clock, signal, run, background } = context
  const { firewall } = backend
  // Until our rules are in place, those of upstream's agent in this network namespace may carry traffic.
  const { recheck } = run(forwardingReconciler(firewall, backend.removeLeftovers))
  await store.until((world) => reportOf(world, forwardingKey)?.verifiedAt !== undefined, signal)
  reportTargets(context)
  let seen: unknown
  store.watch(() => {
    const { peers } = store.world.tailnet
    if (peers !== seen && firewall.overdue(isGone(store.world))) recheck()
    seen = peers
  }, signal)
  background('watching the firewall', () => backend.watch(recheck, signal))
  clock.every(timings.reread, signal, () => {
    firewall.invalidate()
    recheck()
  })
}
