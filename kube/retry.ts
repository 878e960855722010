import { parseRetryAfter } from '../lib/retry-after.ts'

/** One exchange that failed, as far as it matters for sending the request again. */
export type Failure = {
  /** Undefined: no answer came. */
  readonly status?: number
  /** The header Retry-After. */
  readonly retryAfter?: string | undefined
  /** The connection was kept from an earlier request, and broke before an answer came. */
  readonly stale?: boolean
}

/** What of a request matters for sending it again. */
export type Repeatability = {
  readonly method: 'GET' | 'PATCH' | 'POST'
  /** Doing it twice is something else than doing it once. */
  readonly once?: true
}

const longestPause = 10_000
const mostWaits = 3

/**
 * How many milliseconds to wait before the same request is sent again; undefined: not again. `earlier` are the
 * failures of this request before `failure`, `now` is in milliseconds since 1970.
 */
export function pauseBeforeRetry(
  { method, once }: Repeatability,
  failure: Failure,
  earlier: readonly Failure[],
  now: number,
): number | undefined {
  const unlessAgain = (same: (other: Failure) => boolean): 0 | undefined => (earlier.some(same) ? undefined : 0)
  // The server ended the connection before it saw the request, or after.
  if (failure.stale === true) return once ? undefined : unlessAgain(({ stale }) => stale === true)
  // The token may have been replaced between its reading and its use.
  if (failure.status === 401) return unlessAgain(({ status }) => status === 401)
  // A patch without resourceVersion is meant for whatever is there now.
  if (failure.status === 409 && method === 'PATCH') return unlessAgain(({ status }) => status === 409)
  if (failure.status !== 429 && failure.status !== 503) return undefined
  const waits = earlier.filter(({ status }) => status === 429 || status === 503).length
  const said = waits < mostWaits ? parseRetryAfter(failure.retryAfter, now) : undefined
  return said === undefined ? undefined : Math.min(longestPause, said)
}
