import { setImmediate as nextTurn } from 'node:timers/promises'
import type { buildConnector, Dispatcher, Pool } from 'undici'

/** Loaded with the first request: by then tailscaled is starting, which would otherwise wait for it. */
const undici = () => (loading ??= load())
let loading: ReturnType<typeof load> | undefined

async function load() {
  const { setFlagsFromString } = await import('node:v8')
  // undici's parser is WebAssembly. V8 would compile it again after some ten requests, which takes 10 MiB for good and
  // 60 ms.
  setFlagsFromString('--wasm-tiering-budget=1000000000')
  return import('undici')
}

export type Request = {
  readonly method: 'GET' | 'POST' | 'PATCH'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | null
  /** The request, or reading its answer, rejects with this signal's reason. */
  readonly signal: AbortSignal
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
 * half of the connection is closed: the server notices that nobody waits any more, and can still answer.
 */
export async function askOnce(
  { socketPath, host }: { readonly socketPath: string; readonly host: string },
  request: Request,
  halfClose?: AbortSignal,
): Promise<Answer> {
  const { buildConnector: connector, Client } = await undici()
  const open = connector({ socketPath })
  const connect: buildConnector.connector = (to, done) =>
    open(to, (...opened) => {
      const [, socket] = opened
      const close = (): void => void socket?.end()
      halfClose?.addEventListener('abort', close, { once: true })
      done(...opened)
      // On a busy machine nobody may wait any more when the connection opens. The request is sent before, in this turn.
      if (halfClose?.aborted) setImmediate(close)
    })
  return answer(await new Client(`http://${host}`, { ...options, connect }).request({ ...request, reset: true }))
}

export type HttpsPool = {
  readonly send: (request: Request) => Promise<Answer | { readonly stale: unknown }>
  readonly close: () => Promise<void>
}

export type PoolOptions = {
  /** The trusted authorities, PEM. */
  readonly ca: string
  /** Milliseconds in which a connection must be established. */
  readonly connectMs: number
  /** Milliseconds for which an idle connection is kept; it does not keep the process alive. */
  readonly idleMs: number
  /** After this many milliseconds of silence the kernel checks that the other side is still there (TCP keep-alive). */
  readonly probeMs: number
}

/**
 * Sends requests to the HTTPS server at `url`, concurrently if needed, on kept or new connections. `stale`: the error
 * of a kept connection that broke before an answer came.
 */
export function httpsPool(url: string, { ca, connectMs, idleMs, probeMs }: PoolOptions): HttpsPool {
  const connect = { ca, rejectUnauthorized: true, timeout: connectMs, keepAliveInitialDelay: probeMs }
  let pool: Pool | undefined
  return {
    send: async (request) => {
      const { Pool: Connections } = await undici()
      pool ??= new Connections(url, { ...options, keepAliveTimeout: idleMs, keepAliveMaxTimeout: idleMs, connect })
      // The pool frees a connection in the turn after its last answer was read.
      await nextTurn()
      const isKept = pool.stats.free > 0
      try {
        return answer(await pool.request({ ...request }))
      } catch (error) {
        if (isKept) return { stale: error }
        throw error
      }
    },
    close: async () => pool?.close(),
  }
}

function answer({ statusCode, headers, body }: Dispatcher.ResponseData): Answer {
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return typeof value === 'object' ? value[0] : value
  }
  return { status: statusCode, header, body }
}
