import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describe as inWords } from '../../../lib/errors.ts'
import { type ApiRequest, dialect } from '../../../operator/api/dialect.ts'
import { ApiError, type Problem } from '../../../operator/api/error.ts'

const files = { type: 'oauth-client', idFile: '/oauth/client_id', secretFile: '/oauth/client_secret' } as const
const { refusal } = dialect(() => 0, files)
const request: ApiRequest = { action: 'removing device n1', feature: 'devices', method: 'DELETE', path: '/device/n1' }
const forToken: ApiRequest = { ...request, feature: 'oauth', method: 'POST' }
const answer = (status: number, body: string, header?: string) => ({
  status,
  body,
  header: (name: string) => (name === 'retry-after' ? header : undefined),
  hidden: ['s3cret'],
})
const said = '{"message":"no such thing"}'

it.each<[string, ApiRequest, number, string, Problem]>([
  ['a thing that does not exist', request, 404, said, 'refused'],
  ['a path that does not exist', request, 404, '404 page not found', 'no-route'],
  ['a page of something on the way', request, 404, '<html>{"message":"no"}</html>', 'no-route'],
  ['JSON of something on the way', request, 404, '{"code":404}', 'no-route'],
  ['a token that has ended', request, 401, said, 'credentials'],
  ['a missing scope', request, 403, said, 'forbidden'],
  ['a wrong request', request, 422, said, 'refused'],
  ['a secret that is wrong', forToken, 401, '{"error":"invalid_client"}', 'credentials'],
  ['a scope that a client lacks', forToken, 400, '{"error":"invalid_scope"}', 'credentials'],
  ['too many requests', request, 429, '', 'limited'],
  ['too many requests for tokens', forToken, 429, '', 'limited'],
  ['an error of the server', request, 500, said, 'unavailable'],
  ['a proxy without a server', forToken, 502, '<html>', 'unavailable'],
  ['a redirect', request, 302, '', 'unavailable'],
])('%s is told as such', (_case, asked, status, body, problem) => {
  expect(refusal(asked, answer(status, body))).toMatchObject({ problem, status, code: 'tailscale-api' })
})

it('who reads that credentials are refused learns where they are', () => {
  expect(inWords(refusal(forToken, answer(401, said)))).toContain('into the Secret that is mounted at /oauth.')
  const identity = { type: 'workload-identity', clientId: 'k1', tokenFile: '/token' } as const
  const { remedy } = dialect(() => 0, identity).refusal(forToken, answer(401, said)) as ApiError
  expect(remedy).toContain('correct CLIENT_ID')
})

it.each([
  [429, 'other programs with credentials of this tailnet'],
  [502, 'https://status.tailscale.com'],
])('who reads %i learns that it is tried again, and what to look at if it lasts', (status, remedy) => {
  expect(inWords(refusal(request, answer(status, '')))).toMatch(/It is tried again/)
  expect(inWords(refusal(request, answer(status, '')))).toContain(remedy)
})

it.each([
  ['5', 5000],
  ['86400', 600_000],
  ['soon', undefined],
])('a server that wants a pause of "%s" gets %j ms', (header, retryAfterMs) => {
  expect(refusal(request, answer(429, said, header))).toMatchObject({ retryAfterMs })
})

describe('whatever the server answers', () => {
  const bodies = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        {
          message: fc.oneof(fc.string(), fc.constant('s3cret')),
          data: fc.jsonValue(),
          error: fc.jsonValue(),
          status: fc.jsonValue(),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  )

  it('the error is short, and has no secret', () => {
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 599 }), bodies, fc.option(fc.string()), (status, body, header) => {
        const error = refusal(request, answer(status, body, header ?? undefined))
        expect(error).toBeInstanceOf(ApiError)
        expect(inWords(error)).not.toContain('s3cret')
        expect(error.message.length).toBeLessThan(700)
      }),
    )
  })

  it('a secret within the reason is left out', () => {
    const body = JSON.stringify({ message: 'not s3cret', data: [{ errors: ['nor s3cret'] }] })
    expect(refusal(request, answer(400, body)).message).toBe(
      'Tailscale API: removing device n1 was refused: 400 not …; nor …',
    )
  })
})
