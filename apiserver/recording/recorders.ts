import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { parseAddressPort } from '../../lib/address.ts'
import { isJsonObject } from '../../lib/json.ts'
import type { Dial } from '../../localapi/dial.ts'

/** In milliseconds: to find out whether a recorder is there, and until it agrees to take a recording. */
const answerMs = 5000

/** The most that are tried. */
const most = 16

/** A recorder that has agreed to take a recording. */
export type Agreed = {
  readonly address: string
  readonly connection: ClientHttp2Session
  readonly stream: ClientHttp2Stream
}

/**
 * Has one of the recorders, `host:port`, take a recording: whichever answers first, and if that one does not agree, the
 * next. Rejects if none does.
 */
export async function agree(addresses: readonly string[], dial: Dial, signal: AbortSignal): Promise<Agreed> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const waiting = new Map(
    [...new Set(addresses)].slice(0, most).map((address) => {
      const found = reach(address, dial, either).then((connection) => ({ address, connection }))
      // Others may be waited for.
      found.catch(() => {})
      return [address, found] as const
    }),
  )
  const reasons: unknown[] = []
  try {
    while (waiting.size > 0) {
      const { address, connection } = await Promise.any(waiting.values())
      waiting.delete(address)
      try {
        return { address, connection, stream: await ask(connection, 'POST', signal) }
      } catch (error) {
        reasons.push(error)
        connection.destroy()
      }
    }
  } catch (error) {
    reasons.push(...(error instanceof AggregateError ? (error.errors as unknown[]) : [error]))
  } finally {
    stop.abort()
    for (const one of waiting.values()) void one.then(({ connection }) => connection.destroy()).catch(() => {})
  }
  signal.throwIfAborted()
  throw reasons[0] ?? new Error('there is none')
}

/** Connects to a recorder, and asks whether it is one. */
async function reach(address: string, dial: Dial, signal: AbortSignal): Promise<ClientHttp2Session> {
  const target = parseAddressPort(address)
  if (target === undefined) throw new Error('the address of the recorder is none')
  const limited = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  const socket = await dial(target.host, target.port, limited)
  const connection = connect(`http://${address}`, { createConnection: () => socket })
  // What is asked on it then fails, too.
  connection.on('error', () => {})
  try {
    const probe = await ask(connection, 'HEAD', limited)
    probe.close()
    return connection
  } catch (error) {
    connection.destroy()
    throw error
  }
}

/** Resolves when the recorder has answered with 200; what it says then, and what it is told, may go on. */
async function ask(
  connection: ClientHttp2Session,
  method: 'HEAD' | 'POST',
  signal: AbortSignal,
): Promise<ClientHttp2Stream> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  limited.throwIfAborted()
  const stream = connection.request({ ':method': method, ':path': '/v2/record' }, { endStream: method === 'HEAD' })
  // It may break later, when others wait for it.
  stream.on('error', () => {})
  const closed = once(stream, 'close', { signal: limited }).then(() => {
    throw new Error('the recorder does not answer')
  })
  closed.catch(() => {})
  const [headers]: unknown[] = await Promise.race([once(stream, 'response', { signal: limited }), closed])
  const status = isJsonObject(headers) ? headers[':status'] : undefined
  if (status !== 200) throw new Error(`the recorder answers with status ${String(status)}`)
  return stream
}
