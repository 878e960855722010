import { rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TailscaleApi } from '../../../operator/api/api.ts'
import { tailscaleApi } from '../../../operator/api/client.ts'
import { describe as inWords } from '../../../lib/errors.ts'
import { reasonOf } from '../../kube/api-server.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { refuse, reply, ScriptedApi } from './scripted-api.ts'

let server: ScriptedApi
let clock: VirtualClock
let api: TailscaleApi
const never = new AbortController().signal
const list = (): Promise<unknown> => api.listDevices(never)
const minutes = (count: number): Promise<void> => clock.advance(count * 60_000)

beforeEach(async () => {
  server = await ScriptedApi.start()
  clock = new VirtualClock()
  api = tailscaleApi(server.url, server.files, clock)
})
afterEach(() => server[Symbol.asyncDispose]())

const tokensUsed = (): unknown[] => server.calls.map(({ headers }) => headers.authorization)
const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

describe('a token', () => {
  it('is asked for once by calls at the same time, and kept', async () => {
    await Promise.all([list(), list(), list()])
    await list()
    expect(server.grants).toMatchObject([
      { headers: { authorization: basic('client', 'first-secret') }, body: 'grant_type=client_credentials' },
    ])
    expect(new Set(tokensUsed())).toEqual(new Set(['Bearer token-1']))
  })

  it('is renewed before its end', async () => {
    await list()
    await minutes(58)
    await list()
    await minutes(1)
    await list()
    expect(tokensUsed()).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2'])
  })

  it('with a short life is used for most of it', async () => {
    server.answerToken = (_seen, response) => reply(response, { access_token: 'short', expires_in: 10 })
    await list()
    await clock.advance(8000)
    await list()
    expect(server.grants).toHaveLength(1)
    await clock.advance(1000)
    await list()
    expect(server.grants).toHaveLength(2)
  })

  it('is used until its end when it cannot be renewed', async () => {
    await list()
    await minutes(59)
    server.answerToken = (_seen, response) => response.destroy()
    await list()
    await minutes(1)
    expect(await reasonOf(list())).toMatchObject({ problem: 'unavailable', status: undefined })
    expect(server.calls).toHaveLength(2)
  })

  it('that is refused is replaced once', async () => {
    await list()
    server.answer = ({ headers }, response) =>
      headers.authorization === 'Bearer token-1' ? refuse(response, 401, 'API token invalid') : reply(response, {})
    await Promise.all([list(), list()])
    expect(server.tokens).toBe(2)
    server.answer = (_seen, response) => refuse(response, 401, 'API token invalid')
    expect(await reasonOf(list())).toMatchObject({ problem: 'credentials', status: 401 })
    expect(server.tokens).toBe(3)
  })

  it('is asked for in a form when the header is refused, without scopes', async () => {
    server.answerToken = ({ headers }, response) =>
      headers.authorization === undefined
        ? reply(response, { access_token: 'by-form', expires_in: 60 })
        : refuse(response, 401, 'no')
    await list()
    expect(server.grants.map(({ body }) => body)).toEqual([
      'grant_type=client_credentials',
      'grant_type=client_credentials&client_id=client&client_secret=first-secret',
    ])
    expect(tokensUsed()).toEqual(['Bearer by-form'])
  })

  it('is asked for with encoded credentials', async () => {
    server.write({ id: 'a:b', secret: 's%&' })
    await list()
    expect(server.grants[0]?.headers.authorization).toBe(basic('a%3Ab', 's%25%26'))
  })

  it('is had for the token of the service account', async () => {
    server.write({ jwt: 'head.body.signature\n' })
    server.answer = (seen, response) =>
      seen.what.endsWith('token-exchange') ? reply(response, { access_token: 'exchanged' }) : reply(response, {})
    api = tailscaleApi(server.url, { type: 'workload-identity', clientId: 'w', tokenFile: server.file('jwt') }, clock)
    await list()
    expect(server.calls.map(({ what, body, headers }) => [what, body, headers.authorization])).toEqual([
      ['POST /api/v2/oauth/token-exchange', 'client_id=w&jwt=head.body.signature', undefined],
      ['GET /api/v2/tailnet/-/devices', '', 'Bearer exchanged'],
    ])
  })
})

describe('the files of the credentials', () => {
  it('are read for each token', async () => {
    await list()
    server.write({ secret: 'second-secret\n' })
    await minutes(60)
    await list()
    expect(server.grants.map(({ headers }) => headers.authorization)).toEqual([
      basic('client', 'first-secret'),
      basic('client', 'second-secret'),
    ])
  })

  it.each([
    ['a file is missing', () => rmSync(server.file('secret')), 'cannot be read'],
    ['a file is empty', () => writeFileSync(server.file('secret'), '\n'), 'is empty'],
    ['a file is something else', () => writeFileSync(server.file('secret'), 'first secret\nof two'), 'something else'],
    ['a file is huge', () => writeFileSync(server.file('id'), Buffer.alloc(100_000, 'x')), 'cannot be read'],
  ])('are named when %s, and nothing is sent', async (_case, spoil, text) => {
    spoil()
    const error = await reasonOf(list())
    expect(error).toMatchObject({ problem: 'credentials', code: 'tailscale-api' })
    expect(inWords(error)).toContain(text)
    expect(inWords(error)).not.toContain('first secret')
    expect(server.seen).toEqual([])
    server.write({ id: 'client', secret: 'first-secret' })
    await list()
  })
})

describe('refused credentials', () => {
  beforeEach(() => {
    server.answerToken = (_seen, response) =>
      reply(response, { error: 'invalid_client', error_description: 'no client has first-secret' }, 401)
  })

  it('are told without the secret', async () => {
    const error = await reasonOf(list())
    expect(error).toMatchObject({ problem: 'credentials', status: 401 })
    expect(inWords(error)).toContain('was refused: 401 no client has …')
    expect(inWords(error)).not.toContain('first-secret')
  })

  it('are not sent again at once, unless their files change', async () => {
    await reasonOf(list())
    await reasonOf(list())
    expect(server.grants).toHaveLength(2)
    server.write({ secret: 'second-secret' })
    await reasonOf(list())
    expect(server.grants).toHaveLength(4)
    await clock.advance(30_000)
    await reasonOf(list())
    expect(server.grants).toHaveLength(6)
    expect(server.calls).toEqual([])
  })
})

it('a server without an API is told from one that refuses', async () => {
  server.answerToken = (_seen, response) => response.writeHead(404).end('404 page not found')
  expect(await reasonOf(list())).toMatchObject({ problem: 'no-route', lacks: 'oauth' })
  expect([...api.lacks()]).toEqual(['oauth'])
  expect(await api.check(never)).toMatchObject([{ problem: 'no-route', lacks: 'oauth' }])
  server.answerToken = (_seen, response) => reply(response, { access_token: 'token' })
  expect(await api.check(never)).toEqual([])
})

it('a call ends when it is aborted while it waits for a token', async () => {
  server.answerToken = () => {}
  const end = new AbortController()
  const called = reasonOf(api.listDevices(end.signal))
  await expect.poll(() => server.grants.length).toBe(1)
  end.abort(new Error('enough'))
  expect(inWords(await called)).toContain('enough')
})
