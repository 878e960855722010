import { type Problem, problem, type Reason } from './problem.ts'

/** Signs of a request that nobody answered. */
const unreached =
  /dial tcp|dial udp|no such host|i\/o timeout|connection (?:refused|reset)|no route to host|network is unreachable|TLS handshake|x509:|tls:|\bEOF\b|context (?:canceled|deadline exceeded)/
/** The form of an authority's errors: `429 urn:ietf:params:acme:error:rateLimited: too many`. */
const acmeError = (type: string): RegExp => new RegExp(`urn:(?:ietf:params:)?acme:error:(?:${type})`, 'i')

/** tailscaled's error texts, by what they mean. The first match counts. */
const signs: readonly (readonly [RegExp, Reason])[] = [
  [/does not support getting TLS certs/, 'https-off'],
  [/invalid domain|wildcard certificates are not enabled/, 'no-cert-domain'],
  [/no netmap available|not connected|no nodekey/, 'not-running'],
  [/(?:Secret|secrets).*is forbidden|missing .* permission on secret/s, 'secret-forbidden'],
  [/(?:Secret|secrets).*not found/s, 'secret-missing'],
  [/TLS Secret|TLS cert and key to Secret/, 'secret-unreadable'],
  [acmeError('rateLimited'), 'rate-limit'],
  [/^(?:acme\.\w+: )?429\b/, 'rate-limit'],
  [/SetDNS|set-dns|dns-01 challenge not offered|tls-alpn-01 challenge not offered|^Accept: /, 'dns-challenge'],
  [acmeError('(?:dns|incorrectResponse|connection)\\b'), 'dns-challenge'],
  [/acme: (?:authorization error|order \S+ status: invalid)/, 'dns-challenge'],
  [
    acmeError('(?:accountDoesNotExist|userActionRequired|externalAccountRequired|badSignatureAlgorithm|badPublicKey)'),
    'acme-account',
  ],
  [/ACME account status|invalid account key/, 'acme-account'],
  [/^acmeKey: /, 'acme-account'],
  [/\b5\d\d (?:urn:|:)|serverInternal/, 'authority-unwell'],
  [unreached, 'authority-away'],
  [/acme\.(?:Register|GetReg)/, 'acme-account'],
  [acmeError('.'), 'authority-refuses'],
  [/^(?:CreateOrder: |acme: )/, 'authority-refuses'],
  [/cert access denied|not compiled in this build|extension not registered|read-only mode/, 'daemon'],
]

/** What tailscaled's error text means when it has no certificate for `domain`. */
export function diagnose(domain: string, words: string): Problem {
  const reason = signs.find(([sign]) => sign.test(words))?.[1] ?? 'other'
  return problem(reason, `no certificate for ${domain}: ${words.slice(0, 600) || 'tailscaled does not say why'}`)
}
