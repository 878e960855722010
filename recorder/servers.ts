import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  createServer as createHttp2,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
} from 'node:http2'
import { createServer, type Server, type Socket } from 'node:net'
import { describe } from '../lib/errors.ts'
import { greeting } from '../lib/greeting.ts'
import { portOf } from '../lib/http-server.ts'
import { endIdleSessions } from '../lib/http2-sessions.ts'
import type { Origin } from '../lib/proxy-header.ts'
import { Refused } from './refused.ts'
import { type Reply, replyTo } from './reply.ts'
import type { Request } from './upload.ts'

/** In milliseconds: for a request's head, and for a connection without any. */
const [headMs, idleMs] = [10_000, 120_000]
const maxHeadBytes = 16 * 1024
/** Of one connection of HTTP/2 at the same time. */
const maxStreams = 250
/** What may come of a recording before it is read: as much as is on its way on a long line. */
const windowBytes = 256 * 1024

/** A request with what it is answered by. */
export type Incoming = {
  readonly request: Request
  readonly reply: Reply
  readonly origin: Origin
  /** Tells an uploader that waits for it to send the body. */
  readonly proceed: () => void
}

export type Handlers = {
  readonly take: (incoming: Incoming) => void
  /** A connection was refused before there was a request. */
  readonly refused: (refused: Refused) => void
}

/**
 * Serves HTTP/1.1 and HTTP/2, told apart by how a connection begins, on one port. `isProxied`: connections come from
 * tailscaled, and begin with a PROXY header.
 */
export class Servers {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #serving: readonly Serving[]
  #onEmpty = (): void => {}

  constructor(handlers: Handlers, isProxied: boolean) {
    const [http1, http2] = [serveHttp1(handlers), serveHttp2(handlers)]
    this.#serving = [http1, http2]
    const refuse = (error: unknown): void =>
      handlers.refused(new Refused(400, 'malformed', `a connection was refused: ${describe(error)}`))
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        if (this.#sockets.size === 0) this.#onEmpty()
      })
      greeting(socket, { isProxied, least: 3 }).then(
        ({ origin, begin }) => (begin === 'PRI' ? http2 : http1).serve(socket, origin),
        (error: unknown) => {
          socket.destroy()
          refuse(error)
        },
      )
    })
    // A lack of files, for example: it goes on.
    this.#server.on('error', refuse)
  }

  /**
   * Gives the port, which is any free one for 0.
   * @throws Error of the system if it cannot listen there
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 4096 }, () => {
        this.#server.off('error', reject)
        resolve(portOf(this.#server))
      })
    })
  }

  /** Has connections end when their present requests have ended. */
  drain(): void {
    for (const { drain } of this.#serving) drain()
  }

  /** Resolves when there is no connection, at once if there is none. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      if (this.#sockets.size === 0) resolve()
    })
  }

  /** Ends all connections at once. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

type Serving = {
  /** Serves a connection whose other end is known. */
  readonly serve: (socket: Socket, origin: Origin) => void
  /** Has connections end when their present requests have ended. */
  readonly drain: () => void
}

function serveHttp1({ take, refused }: Handlers): Serving {
  const origins = new WeakMap<Socket, Origin>()
  const server = createHttp({
    maxHeaderSize: maxHeadBytes,
    headersTimeout: headMs,
    // A recording may take a week.
    requestTimeout: 0,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: 1000,
    noDelay: true,
  })
  const pass = (request: IncomingMessage, response: ServerResponse, proceed = (): void => {}): void => {
    const origin = origins.get(request.socket)
    for (const one of [request, response]) one.on('error', () => {})
    if (origin) take({ request, reply: replyTo(response), origin, proceed })
  }
  server.on('request', (request, response) => pass(request, response))
  server.on('checkContinue', (request, response) => pass(request, response, () => response.writeContinue()))
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // A connection that breaks is no request.
    if (error.code !== 'ECONNRESET' && error.code !== 'HPE_INVALID_EOF_STATE')
      refused(new Refused(400, 'malformed', 'a request cannot be read'))
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', () => socket.destroy())
  })
  // It looks for late heads from the time when it listens, which is done for it.
  server.emit('listening')
  return {
    serve: (socket, origin) => {
      origins.set(socket, origin)
      server.emit('connection', socket)
    },
    drain: () => server.closeIdleConnections(),
  }
}

function serveHttp2({ take }: Handlers): Serving {
  const server = createHttp2({
    settings: {
      enableConnectProtocol: false,
      maxConcurrentStreams: maxStreams,
      maxHeaderListSize: maxHeadBytes,
      initialWindowSize: windowBytes,
    },
  })
  const origins = new WeakMap<Http2Session, Origin>()
  const pass = (request: Http2ServerRequest, response: Http2ServerResponse, proceed = (): void => {}): void => {
    const { session } = request.stream
    const origin = session && origins.get(session)
    for (const one of [request, response]) one.on('error', () => {})
    if (origin) take({ request, reply: replyTo(response), origin, proceed })
  }
  server.on('request', (request, response) => pass(request, response))
  server.on('checkContinue', (request, response) => pass(request, response, () => response.writeContinue()))
  server.on('session', (session) => session.setLocalWindowSize(windowBytes))
  const drain = endIdleSessions(server, idleMs)
  server.on('sessionError', () => {})
  return {
    serve: (socket, origin) => {
      server.once('session', (session) => origins.set(session, origin))
      server.emit('connection', socket)
    },
    drain,
  }
}
