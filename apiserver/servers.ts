import { createServer as createHttp, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import { createServer as createHttp2, type Http2Server, type Http2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { endIdleSessions } from '../lib/http2-sessions.ts'
import type { Incoming } from './exchange.ts'
import type { Origin } from '../lib/proxy-header.ts'
import { refusalOf, Refused } from './refused.ts'

/** In milliseconds: for a request's head, and for a connection without any. */
const [headMs, idleMs] = [10_000, 120_000]
/** Tokens may be long. */
const maxHeadBytes = 64 * 1024
/** Of one connection of HTTP/2 at the same time, as the API server allows. */
const maxStreams = 250

export type Handlers = {
  readonly take: (incoming: Incoming) => void
  /** A connection was refused before there was a request; `status` is that of the answer, if there was one. */
  readonly refused: (origin: Origin | undefined, refused: Refused, status?: number) => void
}

/** Serves a connection whose other end is known. */
export type ServeConnection = {
  readonly serve: (socket: Socket, origin: Origin) => void
  /** Has connections end when their present requests have ended. */
  readonly drain: () => void
}

type Extras = Pick<Incoming, 'connection' | 'proceed'>

/** HTTP/1.1, by Node's strict parser. */
export function http1({ take, refused }: Handlers): ServeConnection {
  /** Of each connection where it is from, and what ends each of its requests that is not answered yet. */
  const connections = new WeakMap<object, { readonly origin: Origin; readonly unanswered: Set<AbortController> }>()
  const server: Server = createHttp({
    // Checked by us, so that the answer is a Status.
    requireHostHeader: false,
    maxHeaderSize: maxHeadBytes,
    headersTimeout: headMs,
    requestTimeout: 0,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: 1000,
    noDelay: true,
  })
  // Otherwise headers after the first 2000 would be left out silently.
  server.maxHeadersCount = 0
  const pass = (request: IncomingMessage, response: ServerResponse, extras: Extras = {}): void => {
    const { socket } = request
    const connection = connections.get(socket)
    if (connection === undefined) return void socket.destroy()
    const { origin, unanswered } = connection
    const broken = new AbortController()
    unanswered.add(broken)
    response.on('close', () => unanswered.delete(broken))
    take({ request, response, origin, broken: broken.signal, ...extras })
  }
  const change = (request: IncomingMessage, _socket: Duplex, head: Buffer): void => {
    const { socket } = request
    const { origin, unanswered = [] } = connections.get(socket) ?? {}
    const before = [...unanswered]
    if (before.length > 0) {
      // Node leaves the connection to us, though answers are still to be written to it.
      const early = new Refused(400, 'malformed', 'a change of protocol must wait for the answers before it')
      for (const one of before) one.abort(early)
      return refused(origin, early)
    }
    const response = new ServerResponse(request)
    response.assignSocket(socket)
    response.on('finish', () => socket.destroySoon())
    pass(request, response, { connection: { socket, head } })
  }
  server.on('request', (request, response) => pass(request, response))
  server.on('checkContinue', (request, response) =>
    pass(request, response, { proceed: () => response.writeContinue() }),
  )
  server.on('checkExpectation', (request, response) => pass(request, response))
  server.on('upgrade', change)
  server.on('connect', change)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const isLarge = error.code === 'HPE_HEADER_OVERFLOW'
    const why = isLarge ? 'the head of the request is too large' : 'the request cannot be read'
    const refusal = new Refused(isLarge ? 431 : 400, 'malformed', why)
    const { origin, unanswered = [] } = connections.get(socket) ?? {}
    const last = [...unanswered].at(-1)
    if (last !== undefined) return last.abort(refusal)
    // A connection that breaks is no request.
    if (error.code !== 'ECONNRESET') refused(origin, refusal, refusal.status)
    if (socket.writable) socket.end(answerOf(refusal))
    else socket.destroy()
  })
  // It looks for late heads from the time when it listens, which is done for it.
  server.emit('listening')
  return {
    serve: (socket, origin) => {
      connections.set(socket, { origin, unanswered: new Set() })
      socket.on('error', () => {})
      server.emit('connection', socket)
    },
    drain: () => server.closeIdleConnections(),
  }
}

/** The whole answer to what is no request. */
function answerOf(refusal: Refused): string {
  const { body, headers } = refusalOf(refusal)
  const lines = Object.entries({ ...headers, connection: 'close' })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
  return `HTTP/1.1 ${refusal.status} Bad Request\r\n${lines}\r\n${body}`
}

export function http2({ take }: Handlers): ServeConnection {
  const origins = new WeakMap<Http2Session, Origin>()
  const server: Http2Server = createHttp2({
    settings: { enableConnectProtocol: false, maxConcurrentStreams: maxStreams, maxHeaderListSize: maxHeadBytes },
    maxHeaderListPairs: 1000,
    // Otherwise such fields would be left out silently; so we refuse them.
    strictFieldWhitespaceValidation: false,
  })
  // A watch may be silent for longer.
  const drain = endIdleSessions(server, idleMs)
  const pass = ({ request, response }: Pick<Incoming, 'request' | 'response'>, extras: Extras = {}): void => {
    const session = 'stream' in request ? request.stream.session : undefined
    const origin = session && origins.get(session)
    if (origin === undefined) response.destroy()
    else take({ request, response, origin, ...extras })
  }
  server.on('request', (request, response) => pass({ request, response }))
  server.on('checkContinue', (request, response) =>
    pass({ request, response }, { proceed: () => response.writeContinue() }),
  )
  server.on('checkExpectation', (request, response) => pass({ request, response }))
  server.on('connect', (request, response) => pass({ request, response }))
  server.on('sessionError', () => {})
  return {
    serve: (socket, origin) => {
      server.once('session', (session) => origins.set(session, origin))
      server.emit('connection', socket)
    },
    drain,
  }
}
