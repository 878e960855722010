import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export type Seen = { readonly method: string; readonly url: string; readonly type: string }

const reasons: Readonly<Record<number, string>> = { 409: 'Conflict', 410: 'Expired', 429: 'TooManyRequests' }

/** What happens to a request instead of its being passed on unchanged. */
export type Fault = {
  /** Answered with this status by the proxy itself. */
  readonly status?: number
  /** With this header `Retry-After`. */
  readonly retryAfter?: string
  /** Milliseconds before it is passed on. */
  readonly delay?: number
  /** Passed on with this URL. */
  readonly url?: string
  /** Done before it is passed on. */
  readonly before?: () => Promise<unknown>
}

/** An HTTP server between a client and an API server, which does what the test wants to each request. */
export class FaultyProxy implements AsyncDisposable {
  readonly #server: Server
  /** Open watches, with their URLs. */
  readonly #watches = new Map<ServerResponse, string>()
  readonly seen: Seen[] = []
  fault: (seen: Seen) => Fault | undefined = () => undefined
  /** Called when the API server has answered. */
  answered: (seen: Seen, status: number) => void = () => {}
  /** While this is unresolved, nothing gets through. */
  #cut: PromiseWithResolvers<void> | undefined

  private constructor(server: Server) {
    this.#server = server
  }

  /**
   * `socketPath` leads to the API server, whose certificate `ca` has signed. It listens on the loopback device, or on
   * the socket `at`.
   */
  static async start(socketPath: string, ca: string, at?: string): Promise<FaultyProxy> {
    const server = createServer()
    const where = at === undefined ? { port: 0, host: '127.0.0.1' } : { path: at }
    await new Promise<void>((resolve) => server.listen(where, resolve))
    const proxy = new FaultyProxy(server)
    server.on('request', (incoming, response) => void proxy.#take(incoming, response, { socketPath, ca }))
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Requests that change something. */
  get writes(): readonly Seen[] {
    return this.seen.filter(({ method }) => method !== 'GET')
  }

  /** Open watches whose URL contains `part`. */
  openWatches(part: string): number {
    return [...this.#watches.values()].filter((url) => url.includes(part)).length
  }

  /** Lets nothing through until `heal`: requests get no answer, and those that wait then are lost. */
  cut(): void {
    this.#cut ??= Promise.withResolvers()
    this.cutWatches()
  }

  heal(): void {
    this.#cut?.resolve()
    this.#cut = undefined
  }

  cutWatches(): void {
    for (const response of this.#watches.keys()) response.destroy()
  }

  async #take(
    incoming: IncomingMessage,
    response: ServerResponse,
    to: { socketPath: string; ca: string },
  ): Promise<void> {
    const { method = '', url = '', headers } = incoming
    const seen = { method, url, type: headers['content-type'] ?? '' }
    if (this.#cut !== undefined) {
      await this.#cut.promise
      return void response.destroy()
    }
    this.seen.push(seen)
    const { status, retryAfter, delay: ms = 0, url: path = url, before } = this.fault(seen) ?? {}
    await delay(ms)
    await before?.()
    if (response.destroyed) return
    if (status !== undefined) {
      incoming.resume()
      const reason = reasons[status] ?? 'InternalError'
      const more = retryAfter === undefined ? {} : { 'Retry-After': retryAfter }
      response.writeHead(status, { 'Content-Type': 'application/json', ...more })
      response.end(
        JSON.stringify({ kind: 'Status', status: 'Failure', message: 'made by the test', reason, code: status }),
      )
      return
    }
    const { host: _host, connection: _connection, ...passed } = headers
    const options = { ...to, path, method, headers: passed, servername: 'kubernetes.default.svc', agent: false }
    const outgoing = request(options, (answer) => {
      this.answered(seen, answer.statusCode ?? 500)
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      response.flushHeaders()
      if (url.includes('watch=true')) this.#watches.set(response, url)
      response.on('close', () => {
        this.#watches.delete(response)
        answer.destroy()
      })
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    response.on('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
