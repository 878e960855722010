import { expect, it } from 'vitest'
import { askCertificate } from '../../localapi/certificate.ts'
import { LocalApiError, Refusal } from '../../localapi/error.ts'

const never = new AbortController().signal
const system = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code })

/** Requests a certificate from a server that refuses with `cause`, or answers with a chain. */
async function ask(cause?: Error, signal = never, minValidityMs = 0) {
  const asked: unknown[] = []
  const get = async (...args: unknown[]): Promise<string> => {
    asked.push(args)
    if (cause !== undefined) throw new LocalApiError('LocalAPI cert/a.ts.net failed', cause)
    return 'PEM'
  }
  return { answer: await askCertificate({ get }, 'a.ts.net', { minValidityMs, limitMs: 7000 }, signal), asked }
}

it('requests only the chain, with a time limit that lets tailscaled say why it failed', async () => {
  const { answer, asked } = await ask(undefined, never, 1500)
  expect(answer).toEqual({ kind: 'chain', pem: 'PEM' })
  expect(asked).toEqual([['cert/a.ts.net?type=crt&min_validity=2s', never, 7000, { halfClose: true }]])
})

const limit = '429 urn:ietf:params:acme:error:rateLimited: too many'
it.each<[string, Error, object]>([
  ['429 in seconds', new Refusal(429, limit, '90'), { kind: 'rate-limited', retryAfterMs: 90_000 }],
  ['429 without a time', new Refusal(429, limit, undefined), { kind: 'rate-limited', retryAfterMs: undefined }],
  ['429 with a malformed time', new Refusal(429, limit, 'soon'), { kind: 'rate-limited', retryAfterMs: undefined }],
  ['the text of an older daemon', new Refusal(500, `acme.Register: ${limit}`, undefined), { kind: 'rate-limited' }],
  ['another error', new Refusal(500, 'invalid domain', undefined), { kind: 'refused', words: 'invalid domain' }],
  ['denied', new Refusal(403, 'cert access denied', undefined), { kind: 'refused' }],
  ...['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'EPIPE'].map(
    (code) => [code, system(code), { kind: 'silent', words: `connect ${code}` }] as [string, Error, object],
  ),
  ['a missing permission on the socket', system('EACCES'), { kind: 'refused' }],
])('reports %s', async (_name, cause, expected) => {
  expect((await ask(cause)).answer).toMatchObject(expected)
})

it('finds the time of a rate limit in the authority’s text', async () => {
  const at = new Date(Date.now() + 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
  const { answer } = await ask(new Refusal(500, `${limit}, retry after ${at} UTC: see the docs`, undefined))
  expect(answer.kind === 'rate-limited' && answer.retryAfterMs).toBeGreaterThan(3_590_000)
})

it('accepts a date in Retry-After', async () => {
  const { answer } = await ask(new Refusal(429, limit, new Date(Date.now() + 60_000).toUTCString()))
  expect(answer.kind === 'rate-limited' && answer.retryAfterMs).toBeGreaterThan(58_000)
})

it('rejects when its signal aborts', async () => {
  await expect(ask(system('ABORT_ERR'), AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
})
