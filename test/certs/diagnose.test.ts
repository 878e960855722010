import { describe, expect, it } from 'vitest'
import { diagnose } from '../../certs/diagnose.ts'
import { outcomeOf } from '../../certs/outcome.ts'
import { describeProblem, type Reason, reasonFrom } from '../../certs/problem.ts'

const acme = (status: number, type: string, detail: string): string =>
  `${status} urn:ietf:params:acme:error:${type}: ${detail}`

/**
 * Error messages of tailscaled 1.102: its own, and those of the authority, the control server and the Kubernetes API
 * that it passes on.
 */
const messages: readonly (readonly [string, Reason])[] = [
  ['your Tailscale account does not support getting TLS certs', 'https-off'],
  ['invalid domain "web.lab.ts.net"; must be one of ["proxy.lab.ts.net"]', 'no-cert-domain'],
  ['invalid domain', 'no-cert-domain'],
  ['wildcard certificates are not enabled for this node', 'no-cert-domain'],
  ['no netmap available', 'not-running'],
  ['acmeKey: acme/autocert: invalid account key found in cache', 'acme-account'],
  ['acmeKey: asn1: structure error', 'acme-account'],
  ['acmeKey: error patching Secret proxy-0: secrets "proxy-0" is forbidden: User "x" cannot patch', 'secret-forbidden'],
  [
    'acme.GetReg: Get "https://acme-v02.api.letsencrypt.org/directory": dial tcp 172.65.32.248:443: connect: connection refused',
    'authority-away',
  ],
  ['acme.GetReg: Get "https://acme/dir": dial tcp: lookup acme on 10.96.0.10:53: no such host', 'authority-away'],
  ['acme.GetReg: Get "https://acme/dir": dial tcp 1.2.3.4:443: i/o timeout', 'authority-away'],
  [
    'acme.GetReg: Get "https://acme/dir": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    'authority-away',
  ],
  ['acme.GetReg: Post "https://acme/acct": EOF', 'authority-away'],
  ['acme.GetReg: context canceled', 'authority-away'],
  ['context canceled', 'authority-away'],
  ['acme.GetReg: 503 : Service Unavailable', 'authority-unwell'],
  [acme(500, 'serverInternal', 'Error creating new order'), 'authority-unwell'],
  [`acme.GetReg: ${acme(403, 'unauthorized', 'account is deactivated')}`, 'acme-account'],
  [`acme.Register: ${acme(400, 'externalAccountRequired', 'no')}`, 'acme-account'],
  ['unexpected ACME account status "revoked"', 'acme-account'],
  [acme(400, 'accountDoesNotExist', 'no account exists with the provided key'), 'acme-account'],
  [
    acme(429, 'rateLimited', 'too many certificates (5) already issued, retry after 2026-11-24 12:00:00 UTC'),
    'rate-limit',
  ],
  [`acme.Register: ${acme(429, 'rateLimited', 'too many new registrations')}`, 'rate-limit'],
  ['acme.GetReg: 429 : 429 Too Many Requests', 'rate-limit'],
  ['SetDNS "_acme-challenge.web.lab.ts.net" => "x": set-dns response: 403 Forbidden, not yours', 'dns-challenge'],
  [
    'SetDNS "_acme-challenge.web.lab.ts.net" => "x": Post "http://c/machine/set-dns": dial tcp: i/o timeout',
    'dns-challenge',
  ],
  ['dns-01 challenge not offered', 'dns-challenge'],
  [`Accept: ${acme(400, 'malformed', 'no')}`, 'dns-challenge'],
  ['acme: order https://acme/order/1 status: invalid', 'dns-challenge'],
  [
    `acme: order https://acme/order/1 status: invalid; problem: ${acme(403, 'unauthorized', 'Incorrect TXT record')}`,
    'dns-challenge',
  ],
  [`acme: order https://acme/order/1 status: invalid; problem: ${acme(429, 'rateLimited', 'x')}`, 'rate-limit'],
  [`CreateOrder: ${acme(403, 'orderNotReady', 'no')}`, 'authority-refuses'],
  [acme(400, 'rejectedIdentifier', 'policy forbids issuing for name'), 'authority-refuses'],
  [acme(403, 'caa', 'CAA record forbids'), 'authority-refuses'],
  [acme(409, 'alreadyReplaced', 'x'), 'authority-refuses'],
  [
    'error writing TLS cert and key to Secret: error getting Secret web.lab.ts.net: secrets "web.lab.ts.net" not found',
    'secret-missing',
  ],
  [
    'error writing TLS cert and key to Secret: error patching Secret web.lab.ts.net: secrets "web.lab.ts.net" is forbidden: User "x" cannot patch resource',
    'secret-forbidden',
  ],
  [
    'error writing TLS cert and key to Secret: error getting Secret a.ts.net: Get "https://kubernetes.default.svc/api": dial tcp 10.96.0.1:443: i/o timeout',
    'secret-unreadable',
  ],
  [
    'getting TLS Secret "web.lab.ts.net": Get "https://k": dial tcp 10.96.0.1:443: connect: connection refused',
    'secret-unreadable',
  ],
  [
    'retrieving cached TLS certificate failed and cert store is configured in read-only mode, not attempting to issue a new certificate: cert expired',
    'daemon',
  ],
  ['cert access denied', 'daemon'],
  ['cert support not compiled in this build', 'daemon'],
  ['something new', 'other'],
  ['', 'other'],
]

describe('an error of tailscaled is recognised', () => {
  it.each(messages)('%s', (words, reason) => {
    const found = diagnose('web.lab.ts.net', words)
    expect(found.reason).toBe(reason)
    expect(describeProblem(found)).toMatch(/web\.lab\.ts\.net: .+\. [A-Z].+\.$/)
  })

  it('a long message is shortened for the log', () => {
    expect(diagnose('a.ts.net', 'x'.repeat(10_000)).text.length).toBeLessThan(700)
  })
})

describe('the outcome of a request', () => {
  it.each([
    ['no netmap available', 'transient'],
    ['acme.GetReg: Get "https://a/dir": dial tcp 1.2.3.4:443: connect: connection refused', 'transient'],
    ['getting TLS Secret "a.ts.net": EOF', 'transient'],
    ['acme.GetReg: 503 : Service Unavailable', 'failure'],
    ['dns-01 challenge not offered', 'failure'],
    ['something new', 'failure'],
  ])('%s is a %s', (words, kind) => {
    expect(outcomeOf('a.ts.net', { kind: 'refused', words }).kind).toBe(kind)
  })

  it('is a rate limit also when the text is unknown', () => {
    const answer = { kind: 'rate-limited', retryAfterMs: 5000, words: 'slow down' } as const
    expect(outcomeOf('a.ts.net', answer)).toMatchObject({
      kind: 'failure',
      retryAfterMs: 5000,
      problem: { reason: 'rate-limit' },
    })
  })

  it('is transient when tailscaled does not answer', () => {
    expect(outcomeOf('a.ts.net', { kind: 'silent', words: 'connect ENOENT /s' })).toMatchObject({
      kind: 'transient',
      problem: { reason: 'daemon' },
    })
  })

  it('is a failure without a certificate, and does not quote the answer', () => {
    const outcome = outcomeOf('a.ts.net', { kind: 'chain', pem: '-----BEGIN EC PRIVATE KEY-----\nhunter2\n' })
    expect(outcome).toMatchObject({ kind: 'failure', problem: { reason: 'daemon' } })
    expect(JSON.stringify(outcome)).not.toMatch(/hunter2|PRIVATE/)
  })
})

it('ignores a stored reason of another version', () => {
  expect(['rate-limit', 'toString', 'new-one', ''].map(reasonFrom)).toEqual([
    'rate-limit',
    undefined,
    undefined,
    undefined,
  ])
})
