import { describe, expect, it } from 'vitest'
import { type Failure, pauseBeforeRetry, type Repeatability } from '../../kube/retry.ts'

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
    ['when a patch met another write', patch, { status: 409 }, [], 0],
    ['after so many seconds', get, busy('2'), [], 2000],
    ['after so many seconds, also when it may be done once', create, busy('1', 503), [], 1000],
    ['at once when told so', get, busy('0'), [], 0],
    ['at a time', get, busy('Thu, 01 Jan 2026 00:00:05 GMT'), [], 5000],
    ['at once when the time is over', get, busy('Wed, 31 Dec 2025 00:00:05 GMT'), [], 0],
    ['after ten seconds at most', get, busy('86400'), [], 10_000],
    ['after ten seconds at most, also at a time', get, busy('Fri, 01 Jan 2027 00:00:05 GMT'), [], 10_000],
    ['for the third time', get, busy('1'), [busy('1'), busy('1', 503)], 1000],
  ])('%s', (_name, request, failure, earlier, pause) => {
    expect(pauseBeforeRetry(request, failure, earlier, now)).toBe(pause)
  })
})

describe('a request is not sent again', () => {
  it.each<[string, Repeatability, Failure, Failure[]]>([
    ['when a second token was refused', get, { status: 401 }, [{ status: 401 }]],
    ['when a new connection was dead', get, stale, [stale]],
    ['when it may be done once, and perhaps was', create, stale, []],
    ['when it was refused', get, { status: 403 }, []],
    ['when the object is there already', create, { status: 409 }, []],
    ['when a patch met writes twice', patch, { status: 409 }, [{ status: 409 }]],
    ['when the server failed', get, { status: 500 }, []],
    ['when the server is busy and does not say for how long', get, busy(), []],
    ['when the server says nothing that is understood', get, busy('soon'), []],
    ['when it was sent four times', get, busy('1'), [busy('1'), busy('1'), busy('1')]],
  ])('%s', (_name, request, failure, earlier) => {
    expect(pauseBeforeRetry(request, failure, earlier, now)).toBeUndefined()
  })
})
