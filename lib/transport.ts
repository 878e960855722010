import { type Answer, type HttpPool, httpPool, type PoolOptions, type Trust } from './http-client.ts'
import { CulvertError } from './errors.ts'
import type { Gate } from './gate.ts'
import { readBody } from './read-body.ts'
import type { Failure, Repeatability } from './retry.ts'
import { sleep } from './timers.ts'

/** A larger answer is refused, if the request says nothing else. A Secret has at most 1 MiB, a third more in base64. */
export const maxAnswerBytes = 4 * 1024 * 1024

/** Milliseconds for which an unused connection is kept: enough for the calls of a start-up. */
const idleMs = 2000

/** After this many milliseconds of silence the kernel checks that the other side of a watch is still there. */
const probeMs = 30_000

export type TransportRequest = Repeatability & {
  /** Encoded, with its query. */
  readonly path: string
  readonly body?: { readonly type: string; readonly text: string }
  /** A larger answer is refused; otherwise the limit is that of the transport. */
  readonly maxBytes?: number
  /** Texts in the body that no message may repeat: servers quote what they cannot use. */
  readonly hidden?: readonly string[]
}

/** What allows a request, and whom it trusts. */
export type Credentials = {
  readonly headers: Readonly<Record<string, string>>
  /** Texts that no message may repeat. */
  readonly hidden: readonly string[]
  readonly tls: Trust
}

/** Gives the credentials of each attempt, until `signal` aborts. `refused`: these were answered with 401. */
export type Account = {
  readonly credentials: (signal: AbortSignal) => Credentials | Promise<Credentials>
  readonly refused?: (credentials: Credentials) => void
}

/** Where the API is, without a path; `fallback` is used if the name in the URL is not found. */
export type Server = { readonly url: string; readonly fallback?: PoolOptions['fallback'] }

/** An answer of another status than 2xx. */
export type Refusal = {
  readonly status: number
  readonly body: string
  /** By its name in lower case. */
  readonly header: (name: string) => string | undefined
  /** Texts that no message may repeat. */
  readonly hidden: readonly string[]
}

/** How an API words its errors, and what of it is asked again. Its errors are a CulvertError. */
export type Dialect<Request> = {
  readonly refusal: (request: Request, refusal: Refusal) => CulvertError
  /** No complete answer came from `url`. */
  readonly unanswered: (request: Request, url: string, cause: unknown) => CulvertError
  /** The answer has a status 2xx, but is not as documented. */
  readonly misunderstood: (request: Request, status: number, cause: unknown) => CulvertError
  /** As `pauseBeforeRetry`. */
  readonly pause: (request: Request, failure: Failure, earlier: readonly Failure[], now: number) => number | undefined
}

/** A request had no answer within its time. */
export class NoAnswerInTime extends Error {}

/** The two kinds of requests. Both reject with the dialect's error unless an answer of status 2xx can be used. */
export type Transport<Request> = {
  /** What `parse` makes of the answer's whole text. `parse` may throw an Error that reveals nothing of the text. */
  readonly call: <T>(request: Request, parse: (text: string) => T, signal: AbortSignal) => Promise<T>
  /** Opens an answer that goes on; only its head has a time limit. Reading it throws when it breaks or is aborted. */
  readonly stream: (request: Request, signal: AbortSignal) => Promise<AsyncIterable<Buffer>>
  /** Whether it connects to the fallback, since the name in the URL was not found. */
  readonly usesFallback: () => boolean
}

export type TransportOptions<Request> = {
  /** Without one, everything may be sent. It lets all requests pass that only read. */
  readonly gate?: Gate | undefined
  /** Called after each attempt, with the status of the answer; undefined: there was none. */
  readonly answered?: ((request: Request, status: number | undefined) => void) | undefined
}

type Failed = Failure & { readonly error: unknown }

/**
 * An HTTP API. `timeoutMs` is for a call as a whole, including what is sent again. Redirects are not followed. A
 * connection is kept for a moment after its use, and keeps no process alive meanwhile.
 */
export function transport<Request extends TransportRequest>(
  { url, fallback }: Server,
  account: Account,
  timeoutMs: number,
  dialect: Dialect<Request>,
  { gate, answered }: TransportOptions<Request> = {},
): Transport<Request> {
  let current: { readonly trust: string; readonly pool: HttpPool } | undefined
  const poolFor = (tls: Trust): HttpPool => {
    const trust = JSON.stringify(tls)
    if (current?.trust !== trust) {
      void current?.pool.close()
      current = { trust, pool: httpPool(url, { tls, connectMs: timeoutMs, idleMs, probeMs, fallback }) }
    }
    return current.pool
  }

  const attempt = async <T>(
    request: Request,
    read: (answer: Answer) => T | Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T } | Failed> => {
    const { method, path, body, hidden = [] } = request
    const credentials = await account.credentials(signal)
    const headers = {
      Accept: 'application/json',
      ...credentials.headers,
      ...(body && { 'Content-Type': body.type }),
    }
    const shut = method === 'GET' ? undefined : gate
    shut?.check()
    const limited = shut ? AbortSignal.any([signal, shut.signal, AbortSignal.timeout(shut.limitMs)]) : signal
    const sent = { method, path, headers, body: body?.text ?? null, signal: limited, check: shut?.check }
    const answer = await poolFor(credentials.tls)
      .send(sent)
      .catch((error: unknown) => {
        answered?.(request, undefined)
        throw error
      })
    answered?.(request, 'stale' in answer ? undefined : answer.status)
    if ('stale' in answer) return { stale: true, error: answer.stale }
    const { status, header } = answer
    if (status >= 200 && status < 300) return { value: await read(answer) }
    const said = await readBody(answer.body, maxAnswerBytes).catch(() => '')
    if (status === 401) account.refused?.(credentials)
    const refusal: Refusal = { status, body: said, header, hidden: [...credentials.hidden, ...hidden] }
    return { status, retryAfter: header('retry-after'), error: dialect.refusal(request, refusal) }
  }

  /** A request with all its attempts, until `read` has what it wants of the answer. */
  const exchange = async <T>(
    request: Request,
    read: (answer: Answer) => T | Promise<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    const deadline = performance.now() + timeoutMs
    // A controller of our own, whose timer can be cleared: a stream must outlive the limit.
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new NoAnswerInTime(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
    const either = AbortSignal.any([signal, limit.signal])
    const earlier: Failure[] = []
    try {
      for (;;) {
        either.throwIfAborted()
        const result = await attempt(request, read, either)
        if ('value' in result) return result.value
        const pause = dialect.pause(request, result, earlier, Date.now())
        if (pause === undefined || performance.now() + pause >= deadline) throw result.error
        earlier.push(result)
        await sleep(pause, either)
      }
    } catch (cause) {
      if (cause instanceof CulvertError) throw cause
      throw dialect.unanswered(request, url, either.aborted ? either.reason : cause)
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    call: (request, parse, signal) =>
      exchange(
        request,
        async ({ status, body }) => {
          const text = await readBody(body, request.maxBytes ?? maxAnswerBytes)
          try {
            return parse(text)
          } catch (cause) {
            throw dialect.misunderstood(request, status, cause)
          }
        },
        signal,
      ),
    stream: (request, signal) => exchange(request, ({ body }) => body, signal),
    usesFallback: () => current?.pool.usesFallback() === true,
  }
}
