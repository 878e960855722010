import { expect, it } from 'vitest'
import type { Failure } from '../../../lib/retry.ts'
import { pauseOf } from '../../../operator/api/retry.ts'

const get = { method: 'GET' } as const
const make = { method: 'POST', once: true } as const
const error: Failure = { status: 500 }
const limited: Failure = { status: 429 }

it.each<[string, Parameters<typeof pauseOf>[0], Failure, Failure[], number | undefined]>([
  ['an error of the server is followed by growing pauses', get, error, [error, error], 2000],
  ['a request that must not be repeated is not, after an error of the server', make, error, [], undefined],
  ['a request that must not be repeated is, when the server did not take it', make, limited, [], 500],
  ['too many requests are followed by growing pauses', get, limited, [limited], 1000],
  ['the pause is what the server asks for', get, { status: 429, retryAfter: '3' }, [], 3000],
  ['the server is not asked again when it wants a long pause', get, { status: 429, retryAfter: '11' }, [], undefined],
  ['a request is sent four times at most', get, error, [error, error, error], undefined],
  ['a refused token is replaced once', get, { status: 401 }, [], 0],
  ['a second token is not replaced', get, { status: 401 }, [{ status: 401 }], undefined],
  ['a refusal is final', get, { status: 403 }, [], undefined],
  ['what does not exist is not asked for again', get, { status: 404 }, [], undefined],
])('%s', (_title, request, failure, earlier, pause) => {
  expect(pauseOf(request, failure, earlier, 0, () => 0.5)).toBe(pause)
})
