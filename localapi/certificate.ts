import { codeOf, describe } from '../lib/errors.ts'
import { parseRetryAfter } from '../lib/retry-after.ts'
import type { LocalApi } from './client.ts'
import { LocalApiError } from './error.ts'

/** What came of asking tailscaled for a certificate. */
export type CertificateAnswer =
  /** The chain in PEM, leaf first. */
  | { readonly kind: 'chain'; readonly pem: string }
  /** The authority wants less; `retryAfterMs` where it says how long. */
  | { readonly kind: 'rate-limited'; readonly retryAfterMs: number | undefined; readonly words: string }
  /** tailscaled could not be asked, or did not answer in time. */
  | { readonly kind: 'silent'; readonly words: string }
  /** Its words say why there is none. */
  | { readonly kind: 'refused'; readonly words: string }

/** What the system says when tailscaled is not there, goes away meanwhile, or is too slow. */
const silences = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'EPIPE'])

/**
 * Asks tailscaled for the certificate of a name; unless it only reads, it has one issued where there is none that is
 * valid for `minValidityMs` more, which may take minutes. Only the chain is asked for: the key stays where it is.
 * Rejects only when `signal` aborts.
 */
export async function askCertificate(
  api: Pick<LocalApi, 'get'>,
  domain: string,
  { minValidityMs, limitMs }: { readonly minValidityMs: number; readonly limitMs: number },
  signal: AbortSignal,
): Promise<CertificateAnswer> {
  const query = `type=crt&min_validity=${Math.ceil(minValidityMs / 1000)}s`
  try {
    const path = `cert/${encodeURIComponent(domain)}?${query}`
    return { kind: 'chain', pem: await api.get(path, signal, limitMs, { halfClose: true }) }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof LocalApiError)) throw error
    const { refusal, cause } = error
    if (refusal === undefined) {
      return { kind: silences.has(codeOf(cause) ?? '') ? 'silent' : 'refused', words: describe(cause) }
    }
    const { status, words, retryAfter } = refusal
    // The authority may say it in its words alone.
    const said = parseRetryAfter(retryAfter, Date.now()) ?? retryAfterIn(words, Date.now())
    const limited = status === 429 || /urn:\S*acme:error:rateLimited|^(?:acme\.\w+: )?429\b/i.test(words)
    return limited ? { kind: 'rate-limited', retryAfterMs: said, words } : { kind: 'refused', words }
  }
}

/** As Let's Encrypt writes it: `retry after 2026-11-24 12:00:00 UTC`. */
function retryAfterIn(words: string, now: number): number | undefined {
  const [, day, time] = /retry after (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/.exec(words) ?? []
  return day === undefined ? undefined : Math.max(0, Date.parse(`${day}T${time}Z`) - now)
}
