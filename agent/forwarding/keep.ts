import type { Backend } from '../../netfilter/backend.ts'
import type { Context } from '../world/context.ts'
import { forwardingReconciler, isGone } from './reconciler.ts'
import { reportTargets } from './report.ts'

/** Keeps the forwarding rules, and logs what is forwarded. */
export function keepForwarding(context: Context, backend: Backend): void {
  const { store, timings, clock, signal, run, background } = context
  const { firewall } = backend
  // Until our rules are in place, those of upstream's agent in this network namespace may carry traffic.
  const { recheck } = run(forwardingReconciler(firewall, backend.removeLeftovers))
  reportTargets(context)
  let peers: unknown
  let leaving = 0
  store.watch(() => {
    const { tailnet, destination } = store.world
    if (tailnet.peers !== peers && firewall.overdue(isGone(store.world))) recheck()
    const left = destination?.left.length ?? 0
    if (left < leaving) recheck()
    peers = tailnet.peers
    leaving = left
  }, signal)
  background('watching the firewall', () => backend.watch(recheck, signal))
  clock.every(timings.reread, signal, () => {
    firewall.invalidate()
    recheck()
  })
}
