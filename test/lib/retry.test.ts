import { describe, expect, it } from 'vitest'
import { type Failure, pauseBeforeRetry, type Repeatability } from '../../lib/retry.ts'

const get: Repeatability = { method: 'GET' }
const patch: Repeatability = { method: 'PATCH' }
const create: Repeatability = { method: 'POST', once: true }
const now = Date.parse('2026-01-01T00:00:00Z')
const busy = (retryAfter?: string, status = 429): Failure => ({ status, retryAfter })
const stale: Failure = { stale: true }

describe('a request is sent again', () => {
  it.each<[string, Repeatability, Failure, Failure[], number]>([
    ['when its token was refused', get, { status: 401 }, [], 0],
    ['when its token was refused after another failure', create, { status: 401 }, [busy('1')], 0],
    ['when a kept connection was dead', get, stale, [], 0],
    ['when a patch conflicted', patch, { status: 409 }, [], 0],
    ['after Retry-After in seconds', get, busy('2'), [], 2000],
    ['after Retry-After, also a request that must not be repeated', create, busy('1', 503), [], 1000],
    ['at once when Retry-After is 0', get, busy('0'), [], 0],
    ['after Retry-After as a date', get, busy('Thu, 01 Jan 2026 00:00:05 GMT'), [], 5000],
    ['at once when that date is over', get, busy('Wed, 31 Dec 2025 00:00:05 GMT'), [], 0],
    ['after ten seconds at most', get, busy('86400'), [], 10_000],
    ['after ten seconds at most, also for a date', get, busy('Fri, 01 Jan 2027 00:00:05 GMT'), [], 10_000],
    ['three times', get, busy('1'), [busy('1'), busy('1', 503)], 1000],
  ])('%s', (_name, request, failure, earlier, pause) => {
    expect(pauseBeforeRetry(request, failure, earlier, now)).toBe(pause)
  })
})

describe('a request is not sent again', () => {
  it.each<[string, Repeatability, Failure, Failure[]]>([
    ['when a second token was refused', get, { status: 401 }, [{ status: 401 }]],
    ['when a new connection was dead', get, stale, [stale]],
    ['when it must not be repeated, and may have been processed', create, stale, []],
    ['when it was refused', get, { status: 403 }, []],
    ['when the object exists already', create, { status: 409 }, []],
    ['when a patch conflicted twice', patch, { status: 409 }, [{ status: 409 }]],
    ['when the server failed', get, { status: 500 }, []],
    ['when the server is busy and does not say for how long', get, busy(), []],
    ['when Retry-After is malformed', get, busy('soon'), []],
    ['when it was sent four times', get, busy('1'), [busy('1'), busy('1'), busy('1')]],
  ])('%s', (_name, request, failure, earlier) => {
    expect(pauseBeforeRetry(request, failure, earlier, now)).toBeUndefined()
  })
})
