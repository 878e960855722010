import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { ListenOptions, Server as NetServer } from 'node:net'
import { describe } from './errors.ts'

/** A route's answer; `headers` add to the content type or replace it. */
export type Answer = {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}
/** `query` has what follows the `?`; `gone` aborts when the client is gone. */
export type Route = (query: URLSearchParams, gone: AbortSignal) => Answer | Promise<Answer>
export type Routes = Readonly<Record<string, Route>>

/** All methods of all paths that begin with `prefix`; `to` gets path and query, and answers itself. */
export type Relay = {
  readonly prefix: string
  readonly to: (request: IncomingMessage, response: ServerResponse, path: string) => void
}

/** GET and HEAD of known paths; 404 for unknown ones, 405 for other methods */
export const serve =
  (routes: Routes, relay?: Relay): RequestListener =>
  (request, response) => {
    const url = URL.parse(request.url ?? '', 'http://localhost')
    if (url === null) return respond(request, response, { status: 400, body: 'bad path' })
    const { pathname, search, searchParams } = url
    if (relay !== undefined && pathname.startsWith(relay.prefix)) return relay.to(request, response, pathname + search)
    const route = Object.hasOwn(routes, pathname) ? routes[pathname] : undefined
    if (route === undefined) return respond(request, response, { status: 404, body: 'not found' })
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return respond(request, response, { status: 405, body: 'use GET', headers: { allow: 'GET, HEAD' } })
    }
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    // The server closes idle connections, but a connection whose client waits for us is not idle.
    response.on('timeout', stayOpen)
    const answer = (found: Answer): void => {
      response.off('timeout', stayOpen)
      respond(request, response, found)
    }
    const answered = async (): Promise<void> => answer(await route(searchParams, gone.signal))
    answered().catch((error: unknown) => answer({ status: 500, body: describe(error) }))
  }

const stayOpen = (): void => {}

function respond({ method }: IncomingMessage, response: ServerResponse, { status, body, headers }: Answer): void {
  const text = body === '' ? '' : `${body}\n`
  const type = body.startsWith('{') ? 'application/json' : 'text/plain; charset=utf-8'
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...headers })
  response.end(method === 'HEAD' ? undefined : text)
}

/** Longer than anything that a relay waits for. */
const defaultIdleMs = 330_000

export type ServerOptions = {
  /** A silent connection is cut after this many milliseconds, unless a route is working on its answer. */
  readonly idleMs?: number
  /**
   * Gets the reason why a connection could not be accepted, such as a lack of file descriptors. The server continues.
   */
  readonly failed?: (error: Error) => void
}

/** Opens a server; rejects with the system's error if it cannot listen on the address. */
export function listen(
  listener: RequestListener,
  options: ListenOptions,
  { idleMs = defaultIdleMs, failed = () => {} }: ServerOptions = {},
): Promise<Server> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 5000 }, listener)
  server.setTimeout(idleMs)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      // Without a listener, an error would end the process.
      server.on('error', failed)
      resolve(server)
    })
  })
}

/** Closes at once: unanswered requests are cut off. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** The port on which a server listens. */
export function portOf(server: NetServer): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
