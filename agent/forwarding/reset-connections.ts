import type { Firewall } from '../../netfilter/backend.ts'
import type { Context } from '../world/context.ts'

/**
 * When a replica stops: resets open connections, which end with the Pod in any case, while new ones are still carried.
 * For a while, nodes still send packets from the same client port here, so that the Pod must stay up for that time.
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
