import { type Answer, type HttpsPool, httpsPool, type Trust } from '../lib/http-client.ts'
import { readBody } from '../lib/read-body.ts'
import { sleep } from '../lib/timers.ts'
import { KubeError, misunderstood, refusal, unanswered } from './error.ts'
import type { ApiRequest } from './requests.ts'
import { type Failure, pauseBeforeRetry } from './retry.ts'
import { type Endpoint, urlOf } from './endpoint.ts'

/** A larger answer is refused: a Secret has at most 1 MiB, a third more in base64. */
export const maxAnswerBytes = 4 * 1024 * 1024

/** Milliseconds for which an unused connection is kept: enough for the calls of a start-up. */
const idleMs = 2000

/** After this many milliseconds of silence the kernel checks that the other side of a watch is still there. */
const probeMs = 30_000

/** What allows a request, and whom it trusts. */
export type Credentials = {
  readonly headers: Readonly<Record<string, string>>
  /** Texts that no message may repeat. */
  readonly hidden: readonly string[]
  readonly tls: Trust
}

/** Gives the credentials of each attempt. `refused`: the last ones were answered with 401. */
export type Account = {
  readonly credentials: () => Credentials | Promise<Credentials>
  readonly refused?: () => void
}

/** Where the API is, without a path; `fallback` is used if the name in the URL is not found. */
export type Server = { readonly url: string; readonly fallback?: Endpoint | undefined }

/** The two kinds of requests. Both reject with KubeError unless an answer of status 2xx can be used. */
export type Transport = {
  /** What `parse` makes of the answer's whole text. `parse` may throw an Error that reveals nothing of the text. */
  readonly call: <T>(request: ApiRequest, parse: (text: string) => T, signal: AbortSignal) => Promise<T>
  /** Opens an answer that goes on; only its head has a time limit. Reading it throws when it breaks or is aborted. */
  readonly stream: (request: ApiRequest, signal: AbortSignal) => Promise<AsyncIterable<Buffer>>
  /** The URL that is used instead, since the name was not found. */
  readonly fallback: () => string | undefined
}

type Failed = Failure & { readonly error: unknown }

/**
 * The Kubernetes API over HTTP. `timeoutMs` is for a call as a whole, including what is sent again (retry.ts).
 * Redirects are not followed. A connection is kept for a moment after its use, and keeps no process alive meanwhile.
 */
export function transport({ url, fallback }: Server, account: Account, timeoutMs: number): Transport {
  let current: { readonly trust: string; readonly pool: HttpsPool } | undefined
  const poolFor = (tls: Trust): HttpsPool => {
    const trust = JSON.stringify(tls)
    if (current?.trust !== trust) {
      void current?.pool.close()
      current = { trust, pool: httpsPool(url, { tls, connectMs: timeoutMs, idleMs, probeMs, fallback }) }
    }
    return current.pool
  }

  const attempt = async <T>(
    request: ApiRequest,
    read: (answer: Answer) => T | Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T } | Failed> => {
    const { method, path, body, hidden = [] } = request
    const credentials = await account.credentials()
    const headers = {
      Accept: 'application/json',
      ...credentials.headers,
      ...(body && { 'Content-Type': body.type }),
    }
    const answer = await poolFor(credentials.tls).send({ method, path, headers, body: body?.text ?? null, signal })
    if ('stale' in answer) return { stale: true, error: answer.stale }
    const { status, header } = answer
    if (status >= 200 && status < 300) return { value: await read(answer) }
    const said = await readBody(answer.body, maxAnswerBytes).catch(() => '')
    if (status === 401) account.refused?.()
    const error = refusal(request, status, said, [...credentials.hidden, ...hidden])
    return { status, retryAfter: header('retry-after'), error }
  }

  /** A request with all its attempts, until `read` has what it wants of the answer. */
  const exchange = async <T>(
    request: ApiRequest,
    read: (answer: Answer) => T | Promise<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    const deadline = performance.now() + timeoutMs
    // A controller of our own, whose timer can be cleared: a stream must outlive the limit.
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
    const either = AbortSignal.any([signal, limit.signal])
    const earlier: Failure[] = []
    try {
      for (;;) {
        either.throwIfAborted()
        const result = await attempt(request, read, either)
        if ('value' in result) return result.value
        const pause = pauseBeforeRetry(request, result, earlier, Date.now())
        if (pause === undefined || performance.now() + pause >= deadline) throw result.error
        earlier.push(result)
        await sleep(pause, either)
      }
    } catch (cause) {
      if (cause instanceof KubeError) throw cause
      throw unanswered(request, url, either.aborted ? either.reason : cause)
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
            throw misunderstood(request, status, cause)
          }
        },
        signal,
      ),
    stream: (request, signal) => exchange(request, ({ body }) => body, signal),
    fallback: () => (fallback && current?.pool.usesFallback() === true ? urlOf(fallback) : undefined),
  }
}
