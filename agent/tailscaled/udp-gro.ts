import * as z from 'zod/mini'
import type { Context } from '../world/context.ts'
import { isUp } from '../world/world.ts'
import { events } from './log-events.ts'

/**
 * Makes tailscaled enable UDP GRO forwarding once it answers. Once is enough: the network device keeps it. Traffic
 * flows without it, so that a failure is only logged.
 */
export async function setUpUdpGro({
  store,
  api,
  log,
  signal,
}: Pick<Context, 'store' | 'api' | 'log' | 'signal'>): Promise<void> {
  try {
    await store.until(isUp, signal)
    const warning = warningOf(await api.get('set-udp-gro-forwarding', signal))
    log(warning === '' ? events.groSet() : events.groWarning({ problem: warning }))
  } catch (error) {
    if (!signal.aborted) log(events.groFailed({ problem: error }))
  }
}

const answerSchema = z.object({ Warning: z.string() })

function warningOf(body: string): string {
  const answer = z.safeParse(answerSchema, JSON.parse(body))
  if (!answer.success) throw new Error(`unexpected answer: ${z.prettifyError(answer.error)}`)
  return answer.data.Warning
}
