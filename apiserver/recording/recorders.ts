import { parseAddressPort } from '../../lib/address.ts'
import type { Dial } from '../../localapi/dial.ts'
import { answerMs, type Taker } from './taker.ts'
import { takeByVersion1 } from './version1.ts'
import { NoVersion2, probeVersion2, takeByVersion2 } from './version2.ts'

/** The most that are tried. */
const most = 16

/** A recorder that can be asked to take something. */
export type Reached<Taken> = {
  readonly take: (signal: AbortSignal) => Promise<Taken>
  /** Ends the connection to one that is not needed, or has not agreed. */
  readonly close: () => void
}

export type Agreed<Taken> = { readonly address: string; readonly taken: Taken }

/**
 * Has one of the recorders, `host:port`, take something: all are reached for at once, and whichever answers first is
 * asked, and if that one does not agree, the next. Rejects if none does.
 */
export async function agree<Taken>(
  addresses: readonly string[],
  reach: (address: string, signal: AbortSignal) => Promise<Reached<Taken>>,
  signal: AbortSignal,
): Promise<Agreed<Taken>> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const waiting = new Map(
    [...new Set(addresses)].slice(0, most).map((address) => {
      const found = reach(address, either).then((reached) => ({ address, reached }))
      // Others may be waited for.
      found.catch(() => {})
      return [address, found] as const
    }),
  )
  const reasons: unknown[] = []
  try {
    while (waiting.size > 0) {
      const { address, reached } = await Promise.any(waiting.values())
      waiting.delete(address)
      try {
        return { address, taken: await reached.take(signal) }
      } catch (error) {
        reasons.push(error)
        reached.close()
      }
    }
  } catch (error) {
    reasons.push(...(error instanceof AggregateError ? (error.errors as unknown[]) : [error]))
  } finally {
    stop.abort()
    for (const one of waiting.values()) void one.then(({ reached }) => reached.close()).catch(() => {})
  }
  signal.throwIfAborted()
  throw reasons[0] ?? new Error('there is none')
}

/** Gives what opens connections to a recorder. */
export const connector =
  (dial: Dial) =>
  (address: string, signal: AbortSignal): ReturnType<Dial> => {
    const target = parseAddressPort(address)
    if (target === undefined) throw new Error('the address of the recorder is none')
    return dial(target.host, target.port, signal)
  }

/** Reaches a recorder for a recording: by version 2 of the protocol or, if it answers that it does not know it, by 1. */
export async function reachForRecording(
  connect: ReturnType<typeof connector>,
  address: string,
  signal: AbortSignal,
): Promise<Reached<Taker>> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  try {
    const connection = await probeVersion2(await connect(address, limited), address, limited)
    return { take: (during) => takeByVersion2(connection, during), close: () => connection.destroy() }
  } catch (error) {
    if (!(error instanceof NoVersion2)) throw error
    const socket = await connect(address, limited)
    return { take: (during) => takeByVersion1(socket, address, during), close: () => socket.destroy() }
  }
}
