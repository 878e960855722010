import { type Answer, type HttpsPool, httpsPool } from '../lib/http-client.ts'
import { readBody } from '../lib/read-body.ts'
import { sleep } from '../lib/timers.ts'
import { KubeError, misunderstood, refusal, unanswered } from './error.ts'
import type { ApiRequest } from './requests.ts'
import { type Failure, pauseBeforeRetry } from './retry.ts'
import { type ApiEndpoint, type ServiceAccount, urlOf } from './service-account.ts'

/** A larger answer is refused: a Secret has at most 1 MiB, a third more in base64. */
export const maxAnswerBytes = 4 * 1024 * 1024

/** Milliseconds for which an unused connection is kept: enough for the calls of a start-up. */
const idleMs = 2000

/** After so many milliseconds of silence the kernel asks whether the other side of a watch is still there. */
const probeMs = 30_000

/** The two ways in which the API is asked. Both reject with KubeError unless an answer of status 2xx can be used. */
export type Transport = {
  /** What `parse` makes of the answer's whole text. `parse` may throw an Error that tells nothing of the text. */
  readonly call: <T>(request: ApiRequest, parse: (text: string) => T, signal: AbortSignal) => Promise<T>
  /** Opens an answer that goes on; only its head has a time limit. Reading it throws when it breaks or is aborted. */
  readonly stream: (request: ApiRequest, signal: AbortSignal) => Promise<AsyncIterable<Buffer>>
  /** Where it is asked instead, as its name was not found. */
  readonly elsewhere: () => string | undefined
}

type Failed = Failure & { readonly error: unknown }

/**
 * The Kubernetes API over HTTPS. `timeoutMs` is for a call as a whole, including what is sent again (retry.ts).
 * Redirects are not followed. A connection is kept for a moment after its use, and keeps no process alive meanwhile.
 */
export function transport(
  { elsewhere, ...endpoint }: ApiEndpoint,
  account: ServiceAccount,
  timeoutMs: number,
): Transport {
  let current: { readonly ca: string; readonly pool: HttpsPool } | undefined
  const poolFor = (ca: string): HttpsPool => {
    if (current?.ca !== ca) {
      void current?.pool.close()
      const options = { ca, connectMs: timeoutMs, idleMs, probeMs, elsewhere }
      current = { ca, pool: httpsPool(urlOf(endpoint), options) }
    }
    return current.pool
  }

  const attempt = async <T>(
    request: ApiRequest,
    read: (answer: Answer) => T | Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T } | Failed> => {
    const { method, path, body, hidden = [] } = request
    const token = account.token()
    const headers = {
      Accept: 'application/json',
      Authorization: `Bearer ${token}`,
      ...(body && { 'Content-Type': body.type }),
    }
    const answer = await poolFor(account.ca()).send({ method, path, headers, body: body?.text ?? null, signal })
    if ('stale' in answer) return { stale: true, error: answer.stale }
    const { status, header } = answer
    if (status >= 200 && status < 300) return { value: await read(answer) }
    const said = await readBody(answer.body, maxAnswerBytes).catch(() => '')
    return { status, retryAfter: header('retry-after'), error: refusal(request, status, said, [token, ...hidden]) }
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
      throw unanswered(request, urlOf(endpoint), either.aborted ? either.reason : cause)
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    call: (request, parse, signal) =>
      exchange(
        request,
        async ({ status, body }) => {
          const text = await readBody(body, maxAnswerBytes)
          try {
            return parse(text)
          } catch (cause) {
            throw misunderstood(request, status, cause)
          }
        },
        signal,
      ),
    stream: (request, signal) => exchange(request, ({ body }) => body, signal),
    elsewhere: () => (elsewhere && current?.pool.isElsewhere() === true ? urlOf(elsewhere) : undefined),
  }
}
