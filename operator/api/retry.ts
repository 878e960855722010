import { parseRetryAfter } from '../../lib/retry-after.ts'
import { type Failure, pauseBeforeRetry, type Repeatability } from '../../lib/retry.ts'

/** The longest pause within a call, in milliseconds. Whoever is asked to wait longer comes back later. */
export const longestWait = 10_000

const firstPause = 500
const mostPauses = 3

/**
 * Milliseconds to wait before the request is sent again; undefined: do not. A server that has too many requests is
 * asked again, and after an error of its own also if the request may be done twice. `random` gives [0, 1).
 */
export function pauseOf(
  request: Repeatability,
  failure: Failure,
  earlier: readonly Failure[],
  now: number,
  random: () => number = Math.random,
): number | undefined {
  const { status = 0, retryAfter } = failure
  const said = parseRetryAfter(retryAfter, now)
  if (said !== undefined && said > longestWait) return undefined
  const usual = pauseBeforeRetry(request, failure, earlier, now)
  if (usual !== undefined || said !== undefined) return usual
  const isPassing = status === 429 || (status >= 500 && request.once !== true)
  if (!isPassing || earlier.length >= mostPauses) return undefined
  // Within ±20 %, so that calls do not come back together.
  return Math.round(firstPause * 2 ** earlier.length * (0.8 + 0.4 * random()))
}
