import type { Server } from 'node:http'
import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { sleep } from '../../lib/timers.ts'
import type { Firewall } from '../../netfilter/firewall.ts'
import { close } from '../endpoints/http.ts'
import type { RunningFacet } from '../world/reconciler.ts'
import type { Supervisor } from '../tailscaled/daemon.ts'
import type { Store } from '../world/world.ts'

/** What has been started so far and must be ended: filled in as start-up goes on. */
export type Stoppable = {
  /** Ends sources and facets. */
  readonly work: AbortController
  readonly servers: { readonly server: Server; readonly name: string }[]
  readonly facets: RunningFacet[]
  store?: Store
  stopBudgetMs?: number
  daemon?: Supervisor
  firewall?: Firewall
  /** Tells the tailnet that what is advertised will not be served any more, and gives it the time to hear of it. */
  withdraw?: (deadline: AbortSignal) => Promise<void>
  /** Waits until tailscaled has written its state; absent where that needs no waiting. */
  awaitState?: (deadline: AbortSignal) => Promise<void>
  /** Removes the identity of a node whose auth key was refused. */
  clearIdentity?: (deadline: AbortSignal) => Promise<void>
  /** Takes the link to tailscaled's socket away. */
  unlink?: () => void
}

/**
 * The stop machine (agent.md §11), once, within its budget: sources and facets, what is advertised, the state, tailscaled, the rules, the endpoints.
 * Readiness has fallen before. `hurry` shortens the wait for tailscaled to nothing.
 */
export async function stopAgent(parts: Stoppable, log: Log, hurry: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([hurry, AbortSignal.timeout(parts.stopBudgetMs ?? 1000)])
  parts.work.abort()
  const step = async (name: string, work: () => unknown): Promise<void> => {
    try {
      await work()
    } catch (error) {
      log(`warning: ${name}: ${describe(error)}`)
    }
  }
  const facets = Promise.all(parts.facets.map(({ finished }) => finished))
  await step('waiting for the facets', () => Promise.race([facets, aborted(deadline)]))
  await step('withdrawing what is advertised', () => parts.withdraw?.(deadline))
  await step('waiting for the state', () => parts.awaitState?.(deadline))
  await step('stopping tailscaled', () => parts.daemon?.stop(deadline))
  await step('clearing the old identity', () => parts.clearIdentity?.(deadline))
  // After tailscaled: while its device is there, flows go on.
  await step('removing the rules', () => parts.firewall?.remove())
  await step('unlinking the socket', () => parts.unlink?.())
  for (const { server, name } of parts.servers) {
    await step(`closing ${name}`, () => close(server))
    log(`${name} closed`)
  }
}

/** Resolves when the signal aborts. */
const aborted = (signal: AbortSignal): Promise<void> => sleep(2 ** 31 - 1, signal)
