import type { Firewall } from '../../netfilter/backend.ts'
import type { Context } from '../world/context.ts'
import { events } from './log-events.ts'

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
  log(events.reset({ count, seconds: timings.drainForget / 1000 }))
  await clock.sleep(timings.drainForget, deadline)
}
