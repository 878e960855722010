import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { whenUnanswered } from '../lib/http-client.ts'
import { readBody } from '../lib/read-body.ts'
import { sleep } from '../lib/timers.ts'
import { KubeError, misunderstood, refusal, unanswered } from './error.ts'
import type { ApiRequest } from './requests.ts'
import { type Failure, pauseBeforeRetry } from './retry.ts'
import { type Endpoint, type ServiceAccount, urlOf } from './service-account.ts'

/** A larger answer is refused: a Secret has at most 1 MiB, a third more in base64. */
export const maxAnswerBytes = 4 * 1024 * 1024

/** Milliseconds for which an unused connection is kept: enough for the calls of a start-up. */
const idleMs = 2000

/** After so many milliseconds of silence the kernel asks whether the other side of a watch is still there. */
const probeAfterMs = 30_000

/** The two ways in which the API is asked. Both reject with KubeError unless an answer of status 2xx can be used. */
export type Transport = {
  /** What `parse` makes of the answer's whole text. `parse` may throw an Error that tells nothing of the text. */
  readonly call: <T>(request: ApiRequest, parse: (text: string) => T, signal: AbortSignal) => Promise<T>
  /** Opens an answer that goes on; only its head has a time limit. Reading it throws when it breaks or is aborted. */
  readonly stream: (request: ApiRequest, signal: AbortSignal) => Promise<AsyncIterable<Buffer>>
}

type Failed = Failure & { readonly error: unknown }

/**
 * The Kubernetes API over HTTPS. `timeoutMs` is for a call as a whole, including what is sent again (retry.ts).
 * Redirects are not followed. A connection is kept for a moment after its use, and keeps no process alive meanwhile.
 */
export function transport(endpoint: Endpoint, account: ServiceAccount, timeoutMs: number): Transport {
  let pool: { readonly ca: string; readonly agent: Agent } | undefined
  const agentFor = (ca: string): Agent => {
    // One unused connection at most: when that turns out to be dead, the next attempt makes a new one.
    const options = { keepAlive: true, keepAliveMsecs: probeAfterMs, maxFreeSockets: 1, timeout: idleMs }
    if (pool?.ca !== ca) pool = { ca, agent: new Agent({ ...options, ca, rejectUnauthorized: true }) }
    return pool.agent
  }

  const send = (request: ApiRequest, token: string, signal: AbortSignal): Promise<IncomingMessage | Failed> =>
    new Promise((resolve, reject) => {
      const { method, path, body } = request
      const headers = {
        Accept: 'application/json',
        Authorization: `Bearer ${token}`,
        ...(body && { 'Content-Type': body.type, 'Content-Length': Buffer.byteLength(body.text) }),
      }
      const options = { ...endpoint, method, path, headers, agent: agentFor(account.ca()), signal }
      const outgoing = httpsRequest(options, resolve)
      outgoing.on('error', (error) => (outgoing.reusedSocket ? resolve({ stale: true, error }) : reject(error)))
      whenUnanswered(outgoing, reject)
      outgoing.end(body?.text)
    })

  const attempt = async <T>(
    request: ApiRequest,
    read: (response: IncomingMessage) => T | Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T } | Failed> => {
    const token = account.token()
    const answer = await send(request, token, signal)
    if ('error' in answer) return answer
    const status = answer.statusCode ?? 0
    if (status >= 200 && status < 300) return { value: await read(answer) }
    const body = await readBody(answer, maxAnswerBytes).catch(() => '')
    const error = refusal(request, status, body, [token, ...(request.hidden ?? [])])
    return { status, retryAfter: answer.headers['retry-after'], error }
  }

  /** A request with all its attempts, until `read` has what it wants of the answer. */
  const exchange = async <T>(
    request: ApiRequest,
    read: (response: IncomingMessage) => T | Promise<T>,
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
        async (response) => {
          const text = await readBody(response, maxAnswerBytes)
          try {
            return parse(text)
          } catch (cause) {
            throw misunderstood(request, response.statusCode ?? 0, cause)
          }
        },
        signal,
      ),
    stream: (request, signal) => exchange(request, (response) => response, signal),
  }
}
