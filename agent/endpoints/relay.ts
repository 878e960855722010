import { type IncomingHttpHeaders, type IncomingMessage, request as send, type ServerResponse } from 'node:http'
import { describe } from '../../lib/errors.ts'
import { whenUnanswered } from '../../lib/unanswered.ts'
import { pipeline } from 'node:stream/promises'

/** Headers that concern a single connection or the client, or that LocalAPI refuses. */
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
 * Relays requests to the HTTP server at `address` (an address and a port), and its answers back, both as streams so
 * that neither is held in memory. An exchange ends with the client, or when nothing was sent for `idleMs`.
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
      // Once the answer has begun, the connection can only be cut.
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' }).end(`${describe(error)}\n`)
    }
    outgoing.on('timeout', () => outgoing.destroy(new Error(`nothing was heard for ${idleMs / 1000} s`)))
    outgoing.on('error', fail)
    whenUnanswered(outgoing, (error) => {
      if (!response.headersSent) fail(error)
    })
    outgoing.on('response', (answer) => {
      // How the answer is framed depends on the client.
      const { 'transfer-encoding': _framing, ...headers } = passedOn(answer.headers)
      try {
        response.writeHead(answer.statusCode ?? 502, headers)
        pipeline(answer, response).catch(fail)
      } catch (error) {
        // Some headers can be read but not written.
        fail(error)
      }
    })
    response.on('close', () => outgoing.destroy())
    request.pipe(outgoing)
  }
