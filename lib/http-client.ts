import { setImmediate as nextTurn } from 'node:timers/promises'
import type { buildConnector, Dispatcher, Pool } from 'undici'
import { isNotFound, limitedLookup } from './lookup.ts'

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
  /** Whether it connects to the other place, as the name in the URL was not found. */
  readonly isElsewhere: () => boolean
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
  /** Where to connect once the name in the URL is not found. The certificate must be for that name all the same. */
  readonly elsewhere?: { readonly host: string; readonly port: number } | undefined
}

/** Milliseconds after which a name counts as not found, where it is known where else to connect. */
const lookupMs = 3000

/**
 * Sends requests to the HTTPS server at `url`, concurrently if needed, on kept or new connections. `stale`: the error
 * of a kept connection that broke before an answer came.
 */
export function httpsPool(url: string, { ca, connectMs, idleMs, probeMs, elsewhere }: PoolOptions): HttpsPool {
  const trust = { ca, rejectUnauthorized: true, allowH2: false, timeout: connectMs, keepAliveInitialDelay: probeMs }
  const lookup = elsewhere && { lookup: limitedLookup(lookupMs) }
  let isElsewhere = false
  /** Connects to what the URL names, or elsewhere. */
  const either =
    (open: buildConnector.connector): buildConnector.connector =>
    (to, done) => {
      const goElsewhere = ({ host, port }: NonNullable<typeof elsewhere>): void => {
        isElsewhere = true
        open({ ...to, hostname: host, port: String(port) }, (...opened) => {
          // By now the name may be found.
          if (opened[0] !== null) isElsewhere = false
          done(...opened)
        })
      }
      if (elsewhere && isElsewhere) goElsewhere(elsewhere)
      else open(to, (...opened) => (elsewhere && isNotFound(opened[0]) ? goElsewhere(elsewhere) : done(...opened)))
    }
  let pool: Pool | undefined
  return {
    send: async (request) => {
      const { buildConnector: connector, Pool: Connections } = await undici()
      pool ??= new Connections(url, {
        ...options,
        keepAliveTimeout: idleMs,
        keepAliveMaxTimeout: idleMs,
        connect: either(connector({ ...trust, ...lookup })),
      })
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
    isElsewhere: () => isElsewhere,
  }
}

function answer({ statusCode, headers, body }: Dispatcher.ResponseData): Answer {
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return typeof value === 'object' ? value[0] : value
  }
  return { status: statusCode, header, body }
}
