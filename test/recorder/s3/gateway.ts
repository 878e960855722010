import {
  createServer,
  request as ask,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTls } from 'node:https'
import type { AddressInfo } from 'node:net'
import { withoutSession } from './session.ts'

/** What the gateway does instead of passing a request on. */
export type Fault =
  /** Breaks the connection. */
  | 'away'
  /** Passes it on, and breaks the connection instead of answering. */
  | 'unanswered'
  /** Passes it on, and gives another ETag. */
  | 'other-etag'
  /** Answers when the fault is over, and passes it on then. */
  | 'held'
  /** Answers so by itself. */
  | { readonly status: number; readonly code: string }

/** Has now and then something fail that is stored. */
export const someFaults =
  (random: () => number) =>
  (request: string): Fault | undefined => {
    const faults: readonly Fault[] = ['away', 'unanswered', 'other-etag', { status: 503, code: 'SlowDown' }]
    return request.startsWith('P') && random() < 0.2 ? faults[Math.floor(random() * faults.length)] : undefined
  }

export type Tls = { readonly key: string; readonly cert: string }

/** Between a recorder and an S3 server, which listens on a socket: fails as the test says. */
export class Gateway {
  readonly #socket: string
  readonly #server: Server
  #held: (() => void)[] = []
  /** What happens to a request, such as `PUT /recordings/nA/….cast`; undefined: it is passed on. */
  #faultOf: (request: string) => Fault | undefined = () => undefined
  /** All requests that have come. */
  readonly requests: { readonly what: string; readonly headers: IncomingHttpHeaders }[] = []

  private constructor(socket: string, tls: Tls | undefined) {
    this.#socket = socket
    const take: RequestListener = (request, response) => this.#take(request, response)
    this.#server = tls ? createTls(tls, take) : createServer(take)
  }

  static async start(socket: string, tls?: Tls): Promise<Gateway> {
    const gateway = new Gateway(socket, tls)
    await new Promise<void>((resolve) => gateway.#server.listen(0, '127.0.0.1', resolve))
    return gateway
  }

  /** Address and port. */
  get host(): string {
    const { port } = this.#server.address() as AddressInfo
    return `127.0.0.1:${port}`
  }

  /** Begins a fault for some requests, or all. */
  fail(fault: Fault, which?: RegExp): void {
    this.failBy((request) => (which?.test(request) === false ? undefined : fault))
  }

  failBy(faultOf: (request: string) => Fault | undefined): void {
    this.#faultOf = faultOf
  }

  /** Ends all faults. */
  recover(): void {
    this.#faultOf = () => undefined
    for (const go of this.#held.splice(0)) go()
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '' } = request
    const what = `${method} ${url}`
    this.requests.push({ what, headers: request.headers })
    const fault = this.#faultOf(what)
    if (fault === undefined || fault === 'unanswered' || fault === 'other-etag') this.#pass(request, response, fault)
    else if (fault === 'away') request.socket.destroy()
    else if (fault === 'held') this.#held.push(() => this.#pass(request, response, undefined))
    else refuse(request, response, fault)
  }

  #pass(request: IncomingMessage, response: ServerResponse, fault: 'unanswered' | 'other-etag' | undefined): void {
    const { method = '', url = '' } = request
    const headers = withoutSession(method, url, request.headers)
    if (headers === undefined) return refuse(request, response, { status: 403, code: 'SignatureDoesNotMatch' })
    const passed = ask({ socketPath: this.#socket, method, path: url, headers, agent: false }, (answer) => {
      if (fault === 'unanswered') {
        answer.resume().on('end', () => request.socket.destroy())
        return
      }
      const own = fault === 'other-etag' && answer.headers.etag !== undefined ? { etag: `"${'0'.repeat(32)}"` } : {}
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...own })
      answer.pipe(response)
    })
    passed.on('continue', () => response.writeContinue())
    passed.on('error', () => request.socket.destroy())
    request.on('error', () => passed.destroy())
    request.pipe(passed)
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code }: { readonly status: number; readonly code: string },
): void {
  request.resume()
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>as the test says</Message></Error>`
  response.writeHead(status, { 'content-type': 'application/xml', connection: 'close' }).end(body)
}
