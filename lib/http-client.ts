import type { Duplex, Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { buildConnector, Client as Connection, Dispatcher, Pool } from 'undici'
import { CulvertError } from './errors.ts'
import { isNotFound, limitedLookup } from './lookup.ts'

/** Loads undici, which the first request does otherwise. Not imported, since the start of tailscaled would wait for it. */
export const loadClient = () => (loading ??= load())
let loading: ReturnType<typeof load> | undefined

async function load() {
  const { setFlagsFromString } = await import('node:v8')
  // undici's parser is WebAssembly. After some ten requests V8 would compile it again, which takes 60 ms, and 10 MiB
  // that it never frees.
  setFlagsFromString('--wasm-tiering-budget=1000000000')
  return import('undici')
}

export type Request = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | null
  /** The request, or reading its answer, rejects with this signal's reason. */
  readonly signal: AbortSignal
  /** Called when a connection is there, just before the request is written to it; what it throws ends the request. */
  readonly check?: (() => void) | undefined
}

/** The head of an answer; the body must be read or ended. */
export type Answer = {
  readonly status: number
  /** The value of a header, the first if there are several; the name is in lower case. */
  readonly header: (name: string) => string | undefined
  /** Reading throws when the connection breaks or the request is aborted. */
  readonly body: AsyncIterable<Buffer>
}

// Callers have time limits for a whole call. Redirects are not followed, and only HTTP/1.1 is offered.
const options = { headersTimeout: 0, bodyTimeout: 0, allowH2: false } as const

/**
 * Sends a request to the HTTP server `host` on a new connection through a unix socket. When `halfClose` aborts, our
 * half of the connection is closed: the server notices that the caller has given up, and can still answer.
 */
export async function askOnce(
  { socketPath, host }: { readonly socketPath: string; readonly host: string },
  request: Request,
  halfClose?: AbortSignal,
): Promise<Answer> {
  const { buildConnector: connector, Client } = await loadClient()
  const open = connector({ socketPath })
  const connect: buildConnector.connector = (to, done) =>
    open(to, (...opened) => {
      const [, socket] = opened
      const close = (): void => void socket?.end()
      halfClose?.addEventListener('abort', close, { once: true })
      done(...opened)
      // On a busy machine the caller may have given up before the connection opens. The request is sent first, in this
      // turn of the event loop.
      if (halfClose?.aborted) setImmediate(close)
    })
  return answer(await new Client(`http://${host}`, { ...options, connect }).request({ ...request, reset: true }))
}

/** As `pass` of a pool, on a new connection through a unix socket. */
export async function passOnce(
  { socketPath, host }: { readonly socketPath: string; readonly host: string },
  request: PassedRequest,
): Promise<PassedAnswer> {
  const { Client } = await loadClient()
  return passOn(new Client(`http://${host}`, { ...options, connect: { socketPath } }), request)
}

/** A request of somebody else that is passed on: its body may be a stream, and that of its answer is one. */
export type PassedRequest = {
  readonly method: string
  /** With its query. */
  readonly path: string
  /** Names and values in turn, in latin1; a name may occur several times. `host` is set from the pool's URL. */
  readonly headers: readonly string[]
  readonly body: Readable | Buffer | null
  /** The protocol that the connection is asked to change to. */
  readonly upgrade?: string | undefined
  /** Ends the request, or its answer. */
  readonly signal: AbortSignal
}

/** By their names in lower case; several with one name are a list. */
export type PassedHeaders = Readonly<Record<string, string | string[] | undefined>>

/** The head of an answer with its body, or the connection after its protocol has changed (status 101). */
export type PassedAnswer = { readonly status: number; readonly headers: PassedHeaders } & (
  | { readonly body: Readable }
  | { readonly connection: Duplex }
)

export type HttpPool = {
  readonly send: (request: Request) => Promise<Answer | { readonly stale: unknown }>
  /** Rejects if there is no answer. Nothing is sent twice. */
  readonly pass: (request: PassedRequest) => Promise<PassedAnswer>
  readonly close: () => Promise<void>
  /** Whether it connects to the fallback, since the name in the URL was not found. */
  readonly usesFallback: () => boolean
}

/** Whom a client trusts, and how it identifies itself; all PEM. */
export type Trust = {
  /** The trusted authorities; those of Node if absent. */
  readonly ca?: string
  /** The client's certificate with its key. */
  readonly cert?: string
  readonly key?: string
  /** The name that the server's certificate is for, if not that in the URL. */
  readonly servername?: string
  /** False trusts everybody. */
  readonly rejectUnauthorized?: boolean
}

export type PoolOptions = {
  readonly tls: Trust
  /** Milliseconds in which a connection must be established. */
  readonly connectMs: number
  /** Milliseconds for which an idle connection is kept; it does not keep the process alive. */
  readonly idleMs: number
  /** After this many milliseconds of silence the kernel checks that the other side is still there (TCP keep-alive). */
  readonly probeMs: number
  /** Where to connect if the name in the URL is not found. The certificate must still be for that name. */
  readonly fallback?: { readonly host: string; readonly port: number } | undefined
}

/** Milliseconds after which a name counts as not found, if there is a fallback. */
const lookupMs = 3000

/**
 * Sends requests to the server at `url`, https or http, concurrently if needed, on kept or new connections. `stale`: the error
 * of a kept connection that broke before an answer came.
 */
export function httpPool(url: string, { tls, connectMs, idleMs, probeMs, fallback }: PoolOptions): HttpPool {
  const trust = { rejectUnauthorized: true, ...tls, allowH2: false, timeout: connectMs, keepAliveInitialDelay: probeMs }
  const lookup = fallback && { lookup: limitedLookup(lookupMs) }
  let usesFallback = false
  /** Connects to the host of the URL, or to the fallback. */
  const either =
    (open: buildConnector.connector): buildConnector.connector =>
    (to, done) => {
      const connectToFallback = ({ host, port }: NonNullable<typeof fallback>): void => {
        usesFallback = true
        open({ ...to, hostname: host, port: String(port) }, (...opened) => {
          // The name may be found by now.
          if (opened[0] !== null) usesFallback = false
          done(...opened)
        })
      }
      if (fallback && usesFallback) connectToFallback(fallback)
      else open(to, (...opened) => (fallback && isNotFound(opened[0]) ? connectToFallback(fallback) : done(...opened)))
    }
  let opened: Pool | undefined
  const open = async (): Promise<Pool> => {
    const { buildConnector: connector, Pool: Connections } = await loadClient()
    return (opened ??= new Connections(url, {
      ...options,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      connect: either(connector({ ...trust, ...lookup })),
    }))
  }
  return {
    send: async (request) => {
      const pool = await open()
      // The pool frees a connection in the turn after its last answer was read.
      await nextTurn()
      const isKept = pool.stats.free > 0
      const { check, ...rest } = request
      const checked = check && pool.compose((dispatch) => (to, handler) => dispatch(to, checking(handler, check)))
      try {
        return answer(await (checked ?? pool).request(rest))
      } catch (error) {
        if (isKept && !(error instanceof CulvertError)) return { stale: error }
        throw error
      }
    },
    pass: async (request) => passOn(await open(), request),
    close: async () => opened?.close(),
    usesFallback: () => usesFallback,
  }
}

/** A handler that has `check` called first of all. */
const checking = (handler: Dispatcher.DispatchHandler, check: () => void): Dispatcher.DispatchHandler =>
  replacing(handler, {
    onRequestStart: (...started) => {
      check()
      handler.onRequestStart?.(...started)
    },
  })

/** A handler with other methods in place of some of its own. */
const replacing = (handler: Dispatcher.DispatchHandler, others: Dispatcher.DispatchHandler) =>
  new Proxy(handler, {
    get: (target, name): unknown => Reflect.get(Object.hasOwn(others, name) ? others : target, name),
  })

/** A change of protocol that was asked for may be refused; then it is an answer like others. */
async function passOn(pool: Pool | Connection, { headers, upgrade, ...rest }: PassedRequest): Promise<PassedAnswer> {
  const changed = Promise.withResolvers<PassedAnswer>()
  const changing = pool.compose(
    (dispatch) => (to, handler) =>
      dispatch(
        { ...to, upgrade: upgrade ?? null },
        replacing(handler, {
          onRequestUpgrade: (_, status, answered, connection) =>
            changed.resolve({ status, headers: answered, connection }),
        }),
      ),
  )
  const answered = (upgrade === undefined ? pool : changing)
    .request({ ...rest, headers: [...headers] })
    .then(({ statusCode: status, headers: its, body }): PassedAnswer => ({ status, headers: its, body }))
  return Promise.race([answered, changed.promise])
}

function answer({ statusCode, headers, body }: Dispatcher.ResponseData): Answer {
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return typeof value === 'object' ? value[0] : value
  }
  return { status: statusCode, header, body }
}
