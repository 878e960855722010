import * as z from 'zod/mini'
import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { isUp, type Store } from '../world/world.ts'

/**
 * Has tailscaled set up UDP GRO forwarding once it can be asked (localapi-apiproxy-recorder.md §A.2). Once is enough: the
 * network device keeps it. Traffic flows without it, so failing is only said.
 */
export async function optimizeForwarding(
  { store, api, log }: { store: Store; api: LocalApi; log: Log },
  signal: AbortSignal,
): Promise<void> {
  try {
    await store.until(isUp, signal)
    const warning = warningOf(await api.get('set-udp-gro-forwarding', signal))
    log(warning === '' ? 'UDP GRO forwarding is set up' : `warning: UDP GRO forwarding: ${warning}`)
  } catch (error) {
    if (!signal.aborted) log(`warning: UDP GRO forwarding is not set up: ${describe(error)}`)
  }
}

const answerSchema = z.object({ Warning: z.string() })

function warningOf(body: string): string {
  const answer = z.safeParse(answerSchema, JSON.parse(body))
  if (!answer.success) throw new Error(`unexpected answer: ${z.prettifyError(answer.error)}`)
  return answer.data.Warning
}
