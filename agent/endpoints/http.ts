import { createServer, type RequestListener, type Server } from 'node:http'
import type { ListenOptions } from 'node:net'

/** A route's answer; `headers` beside the content type. */
export type Answer = {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}
/** A route gets the names and values behind the `?`. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Answer>>

/** GET and HEAD of known paths; 404 for unknown ones, 405 for other methods (agent.md §10). */
export const serve =
  (routes: Routes): RequestListener =>
  (request, response) => {
    const [path = '', query] = (request.url ?? '').split('?')
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    const known = request.method === 'GET' || request.method === 'HEAD'
    const answer =
      route === undefined
        ? { status: 404, body: 'not found' }
        : known
          ? route(new URLSearchParams(query))
          : { status: 405, body: 'use GET', headers: { allow: 'GET, HEAD' } }
    const body = `${answer.body}\n`
    const type = answer.body.startsWith('{') ? 'application/json' : 'text/plain; charset=utf-8'
    response.writeHead(answer.status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      ...answer.headers,
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

/** Opens a server; rejects with the error of the system when the address cannot be listened on. */
export function listen(listener: RequestListener, options: ListenOptions): Promise<Server> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 5000 }, listener)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}

/** Closes at once: requests that are not answered yet are cut off. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
