import { type IncomingHttpHeaders, type IncomingMessage, request as send, type ServerResponse } from 'node:http'
import { describe } from '../../lib/errors.ts'
import { whenUnanswered } from '../../lib/unanswered.ts'
import { pipeline } from 'node:stream/promises'

/** They speak of one connection, of who asks, or are refused by what is asked. */
const notPassedOn = new Set([
  'connection',
  'host',
  'keep-alive',
  'origin',
  'proxy-authenticate',
  'proxy-authorization',
  'referer',
  'te',
  'trailer',
  'upgrade',
])

const passedOn = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !notPassedOn.has(name)))

/**
 * Passes requests on to the HTTP server at `address`, an address and a port, and its answers back, both as they come,
 * so that neither is held in memory. An exchange ends with the client, and when nothing was sent for `idleMs`.
 */
export const relayTo =
  (address: string, idleMs: number) =>
  (request: IncomingMessage, response: ServerResponse, path: string): void => {
    const outgoing = send(`http://${address}${path}`, {
      method: request.method ?? 'GET',
      headers: passedOn(request.headers),
      agent: false,
      timeout: idleMs,
    })
    const fail = (error: unknown): void => {
      // Begun, it can only be broken off.
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' }).end(`${describe(error)}\n`)
    }
    outgoing.on('timeout', () => outgoing.destroy(new Error(`nothing was heard for ${idleMs / 1000} s`)))
    outgoing.on('error', fail)
    whenUnanswered(outgoing, (error) => {
      if (!response.headersSent) fail(error)
    })
    outgoing.on('response', (answer) => {
      // How the answer is framed depends on the client, and is not the server's business.
      const { 'transfer-encoding': _framing, ...headers } = passedOn(answer.headers)
      try {
        response.writeHead(answer.statusCode ?? 502, headers)
        pipeline(answer, response).catch(fail)
      } catch (error) {
        // Not all that can be read may be written.
        fail(error)
      }
    })
    response.on('close', () => outgoing.destroy())
    request.pipe(outgoing)
  }
