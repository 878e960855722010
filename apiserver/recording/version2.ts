import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import type { Duplex } from 'node:stream'
import { isJsonObject, parseJson } from '../../lib/json.ts'
import { answerMs, silenceMs, type Taker } from './taker.ts'

/** The longest line that a recorder answers, in characters. */
const longestLine = 64 * 1024

/** A server does not know version 2 of the protocol. */
export class NoVersion2 extends Error {}

/**
 * Asks at the other end of a connection, which is this one's from now on, whether that is a recorder of version 2: one
 * that speaks HTTP/2.
 * @throws NoVersion2 if it answers, but is none; Error if it does not answer
 */
export async function probeVersion2(socket: Duplex, address: string, signal: AbortSignal): Promise<ClientHttp2Session> {
  const connection = connect(`http://${address}`, { createConnection: () => socket })
  // What is asked on it then fails, too.
  connection.on('error', () => {})
  try {
    const probe = await ask(connection, 'HEAD', signal)
    probe.close()
    return connection
  } catch (error) {
    connection.destroy()
    throw error
  }
}

/** Has it take a recording, which it answers while that goes on. */
export async function takeByVersion2(connection: ClientHttp2Session, signal: AbortSignal): Promise<Taker> {
  const body = await ask(connection, 'POST', AbortSignal.any([signal, AbortSignal.timeout(answerMs)]))
  return { body, done: following(body), close: () => connection.destroy() }
}

/** Resolves when the recorder has answered with 200; what it says then, and what it is told, may go on. */
async function ask(
  connection: ClientHttp2Session,
  method: 'HEAD' | 'POST',
  signal: AbortSignal,
): Promise<ClientHttp2Stream> {
  signal.throwIfAborted()
  const stream = connection.request({ ':method': method, ':path': '/v2/record' }, { endStream: method === 'HEAD' })
  // It may break later, when others wait for it.
  stream.on('error', () => {})
  const closed = new Promise<never>((_resolve, reject) => {
    stream.on('close', () => reject(new NoVersion2('the recorder does not answer in HTTP/2')))
  })
  closed.catch(() => {})
  const answered = new Promise<unknown>((resolve, reject) => {
    stream.on('response', resolve)
    signal.addEventListener('abort', () => reject(new Error('the recorder does not answer')))
  })
  const headers = await Promise.race([answered, closed])
  const status = isJsonObject(headers) ? headers[':status'] : undefined
  if (status === 200) return stream
  const why = `the recorder answers with status ${String(status)}`
  throw status === 404 || status === 405 ? new NoVersion2(why) : new Error(why)
}

/** Follows the recorder's lines of JSON to their end. Only errors in them matter, and that they come. */
function following(stream: ClientHttp2Stream): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const silent = (): void => reject(new Error('nothing was heard of the recorder'))
    let timer = setTimeout(silent, silenceMs)
    let line = ''
    const take = (some: string): void => {
      clearTimeout(timer)
      timer = setTimeout(silent, silenceMs)
      const lines = `${line}${some}`.split('\n')
      line = lines.pop() ?? ''
      if (line.length > longestLine) reject(new Error('the recorder answers without end'))
      for (const one of lines) {
        const answer = parseJson(one)
        const error = isJsonObject(answer) ? answer['error'] : undefined
        if (typeof error === 'string' && error !== '') reject(new Error(`the recorder reports: ${error}`))
      }
    }
    const broke = (): void => {
      clearTimeout(timer)
      reject(new Error('the connection to the recorder broke'))
    }
    stream.setEncoding('utf8').on('data', take)
    stream.on('end', () => {
      take('\n')
      resolve()
    })
    stream.on('error', reject)
    stream.on('close', broke)
    if (stream.destroyed) broke()
  })
}
