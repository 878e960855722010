import { setImmediate as nextTurn } from 'node:timers/promises'
import { buildConnector, Client, type Dispatcher, Pool } from 'undici'

export type Request = {
  readonly method: 'GET' | 'POST' | 'PATCH'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | null
  /** What it aborts with is what the request, or the reading of its answer, rejects with. */
  readonly signal: AbortSignal
}

/** The head of an answer has been received; the body follows, and must be read or ended. */
export type Answer = {
  readonly status: number
  /** The value of a header, the first one where there are several; its name in small letters. */
  readonly header: (name: string) => string | undefined
  /** Reading it throws when it breaks or is aborted. */
  readonly body: AsyncIterable<Buffer>
}

// Callers have their own limits, which go for a call as a whole. Redirects are not followed, other protocols not spoken.
const options = { headersTimeout: 0, bodyTimeout: 0, allowH2: false } as const

/**
 * Sends a request on a connection of its own through a unix socket to the HTTP server `host`. When `halfClose` aborts,
 * our half of the connection ends: the server sees that nobody waits any more, and can still answer.
 */
export async function askOnce(
  { socketPath, host }: { readonly socketPath: string; readonly host: string },
  request: Request,
  halfClose?: AbortSignal,
): Promise<Answer> {
  const open = buildConnector({ socketPath })
  const connect: buildConnector.connector = (to, done) =>
    open(to, (...opened) => {
      const [, socket] = opened
      halfClose?.addEventListener('abort', () => socket?.end(), { once: true })
      done(...opened)
    })
  return answer(await new Client(`http://${host}`, { ...options, connect }).request({ ...request, reset: true }))
}

export type HttpsPool = {
  readonly send: (request: Request) => Promise<Answer | { readonly stale: unknown }>
  readonly close: () => Promise<void>
}

export type PoolOptions = {
  /** The authorities to trust, PEM. */
  readonly ca: string
  /** Milliseconds in which a connection must come about. */
  readonly connectMs: number
  /** Milliseconds for which an unused connection is kept; it keeps no process alive. */
  readonly idleMs: number
  /** After so many milliseconds of silence the kernel asks whether the other side is still there. */
  readonly probeMs: number
}

/**
 * Sends requests to the HTTPS server at `url`, as many at once as there are, each on a connection that was kept or on
 * a new one. `stale`: the error of one that was kept, and broke before an answer came.
 */
export function httpsPool(url: string, { ca, connectMs, idleMs, probeMs }: PoolOptions): HttpsPool {
  const pool = new Pool(url, {
    ...options,
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
    connect: { ca, rejectUnauthorized: true, timeout: connectMs, keepAliveInitialDelay: probeMs },
  })
  return {
    send: async (request) => {
      // The pool takes a connection for busy until the turn after that in which its last answer was read.
      await nextTurn()
      const isKept = pool.stats.free > 0
      try {
        return answer(await pool.request({ ...request }))
      } catch (error) {
        if (isKept) return { stale: error }
        throw error
      }
    },
    close: () => pool.close(),
  }
}

function answer({ statusCode, headers, body }: Dispatcher.ResponseData): Answer {
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return typeof value === 'object' ? value[0] : value
  }
  return { status: statusCode, header, body }
}
