import { parseRetryAfter } from './retry-after.ts'

/** A failed exchange, as far as it matters for retrying. */
export type Failure = {
  /** Undefined: there was no answer. */
  readonly status?: number
  /** The header Retry-After. */
  readonly retryAfter?: string | undefined
  /** The connection was reused, and broke before an answer came. */
  readonly stale?: boolean
}

/** The properties of a request that matter for retrying. */
export type Repeatability = {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE'
  /** Doing it twice differs from doing it once. */
  readonly once?: true
}

const longestPause = 10_000
const mostWaits = 3

/**
 * Milliseconds to wait before the request is retried; undefined: do not retry. `earlier` are its previous failures,
 * `now` is in milliseconds since 1970.
 */
export function pauseBeforeRetry(
  { method, once }: Repeatability,
  failure: Failure,
  earlier: readonly Failure[],
  now: number,
): number | undefined {
  const unlessAgain = (same: (other: Failure) => boolean): 0 | undefined => (earlier.some(same) ? undefined : 0)
  // The server may have closed the connection before or after it saw the request.
  if (failure.stale === true) return once ? undefined : unlessAgain(({ stale }) => stale === true)
  // The token may have been rotated between reading and use.
  if (failure.status === 401) return unlessAgain(({ status }) => status === 401)
  // In Kubernetes: a patch without resourceVersion applies to whatever is there now.
  if (failure.status === 409 && method === 'PATCH') return unlessAgain(({ status }) => status === 409)
  if (failure.status !== 429 && failure.status !== 503) return undefined
  const waits = earlier.filter(({ status }) => status === 429 || status === 503).length
  const said = waits < mostWaits ? parseRetryAfter(failure.retryAfter, now) : undefined
  return said === undefined ? undefined : Math.min(longestPause, said)
}
