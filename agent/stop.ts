import { rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { describe } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { sleep } from '../lib/timers.ts'
import type { Firewall } from '../netfilter/firewall.ts'
import { close } from './endpoints/http.ts'
import type { RunningFacet } from './facet.ts'
import type { Supervisor } from './tailscaled/daemon.ts'
import type { Store } from './world.ts'

/** What has been started so far and must be ended: filled in as start-up goes on. */
export type Stoppable = {
  /** Ends sources and facets. */
  work?: AbortController
  store?: Store
  stopBudgetMs?: number
  facets?: readonly RunningFacet[]
  daemon?: Supervisor
  firewall?: Firewall
  endpoints: (Server | undefined)[]
  files?: readonly string[]
}

/**
 * The stop machine (agent.md §11), once, within its budget: sources and facets, tailscaled, the rules, the endpoints.
 * Readiness has fallen before. `hurry` shortens the wait for tailscaled to nothing.
 */
export async function stopAgent(parts: Stoppable, log: Log, hurry: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([hurry, AbortSignal.timeout(parts.stopBudgetMs ?? 1000)])
  parts.work?.abort()
  const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      log(`warning: ${name}: ${describe(error)}`)
    }
  }
  await step('waiting for the facets', () =>
    Promise.race([Promise.all((parts.facets ?? []).map(({ finished }) => finished)), aborted(deadline)]),
  )
  await step('stopping tailscaled', async () => parts.daemon?.stop(deadline))
  // After tailscaled: while its device is there, flows go on.
  await step('removing the rules', async () => parts.firewall?.remove())
  await step('closing the endpoints', () =>
    Promise.all(parts.endpoints.filter((server) => server !== undefined).map(close)),
  )
  for (const file of parts.files ?? []) rmSync(file, { force: true })
}

/** Resolves when the signal aborts. */
const aborted = (signal: AbortSignal): Promise<void> => sleep(2 ** 31 - 1, signal)
