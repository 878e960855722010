import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { answerMs, type Taker } from './taker.ts'

/**
 * Has a recorder at the other end of a connection take a recording by version 1 of the protocol: a request of
 * HTTP/1.1, which it answers with 100 when it is ready, and with 200 when it has all.
 * @throws Error if it does not agree
 */
export async function takeByVersion1(socket: Duplex, address: string, signal: AbortSignal): Promise<Taker> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  const headers = { host: address, expect: '100-continue', 'transfer-encoding': 'chunked' }
  const request = httpRequest({ createConnection: () => socket, method: 'POST', path: '/record', headers })
  const done = new Promise<void>((resolve, reject) => {
    request.on('error', reject)
    request.on('close', () => reject(new Error('the connection to the recorder broke')))
    request.on('response', (response: IncomingMessage) => {
      const { statusCode } = response
      if (statusCode !== 200) reject(new Error(`the recorder answers with status ${statusCode}`))
      response.on('end', resolve).on('error', reject).resume()
    })
  })
  const early = done.then(() => {
    throw new Error('the recorder wants no recording')
  })
  early.catch(() => {})
  const close = (): void => void request.destroy()
  request.flushHeaders()
  try {
    await Promise.race([once(request, 'continue', { signal: limited }), early])
    return { body: request, done, close }
  } catch (error) {
    close()
    throw error
  }
}
