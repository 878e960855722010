import type { Firewall } from '../../netfilter/backend.ts'
import type { Context } from '../world/context.ts'

/**
 * At the stop of a replica: ends the connections that are open, which end with the Pod in any case, while new ones are
 * still carried. Nodes remember for a while that a connection which was reset led here, and what a client sends from the
 * same port comes here too: then the Pod must still be there.
 */
export async function resetConnections(
  { log, timings, clock }: Pick<Context, 'log' | 'timings' | 'clock'>,
  { endFlows }: Pick<Firewall, 'endFlows'>,
  deadline: AbortSignal,
): Promise<void> {
  const count = await endFlows()
  if (count === 0) return
  const seconds = timings.drainForget / 1000
  log(`${count} open connections reset; waiting ${seconds} s for nodes to forget that they led here`)
  await clock.sleep(timings.drainForget, deadline)
}
