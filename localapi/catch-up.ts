import { sleep } from '../lib/timers.ts'
import type { Notification } from './notify.ts'
import type { PeersChange } from './peers.ts'

/**
 * Longest pause after a request, in ms, which otherwise lasts as long as its answer took; and the pause after a failed
 * one.
 */
const [restFactor, longestRest, restAfterFailure] = [10, 5000, 10_000]

/**
 * Passes messages on. After an incomplete one, `ask` requests the status, and its peers, records and certificate
 * domains are inserted as a message. One answer covers all messages before its request.
 */
export async function* catchUp(
  messages: AsyncGenerator<Notification>,
  ask: () => Promise<Notification | undefined>,
  signal: AbortSignal,
): AsyncGenerator<Notification> {
  let message: Promise<IteratorResult<Notification>> | undefined
  let answer: Promise<{ readonly status: Notification | undefined }> | undefined
  let isPartial = false
  let earliest = 0
  /** Messages since the request. Repeated after the answer, they are right whether it is older or newer. */
  let since: PeersChange[] = []

  const askInTime = async () => {
    await sleep(Math.max(0, earliest - performance.now()), signal)
    isPartial = false
    since = []
    const began = performance.now()
    const status = await ask()
    const ended = performance.now()
    isPartial ||= status === undefined
    earliest = ended + (status ? Math.min(restFactor * (ended - began), longestRest) : restAfterFailure)
    return { status }
  }
  while (!signal.aborted) {
    if (isPartial) answer ??= askInTime()
    message ??= messages.next()
    const next = await (answer === undefined ? message : Promise.race([message, answer]))
    if ('status' in next) {
      answer = undefined
      if (next.status === undefined) continue
      const { peers, records, certDomains } = next.status
      yield {
        ...(peers && { peers: [...peers, ...since] }),
        ...(records && { records }),
        ...(certDomains && { certDomains }),
      }
    } else {
      if (next.done === true) return
      message = undefined
      isPartial ||= next.value.partial === true
      if (answer !== undefined) since.push(...(next.value.peers ?? []))
      yield next.value
    }
  }
}
