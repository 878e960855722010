import { codeOf, describe } from '../lib/errors.ts'
import { parseRetryAfter } from '../lib/retry-after.ts'
import type { LocalApi } from './client.ts'
import { LocalApiError } from './error.ts'

/** The result of asking tailscaled for a certificate. */
export type CertificateAnswer =
  /** The chain in PEM, leaf first. */
  | { readonly kind: 'chain'; readonly pem: string }
  /** The authority's rate limit; `retryAfterMs` if it says how long. */
  | { readonly kind: 'rate-limited'; readonly retryAfterMs: number | undefined; readonly words: string }
  /** tailscaled could not be asked, or did not answer in time. */
  | { readonly kind: 'silent'; readonly words: string }
  /** The text says why there is none. */
  | { readonly kind: 'refused'; readonly words: string }

/** Error codes if tailscaled is absent, disappears, or is too slow. */
const silences = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'EPIPE'])

/**
 * Asks tailscaled for the certificate of a name. Unless it is a reader, it requests one from the authority if none is
 * valid for another `minValidityMs`, which may take minutes. Only the chain is requested; the key stays in tailscaled.
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
    // The authority may say so in its text only.
    const said = parseRetryAfter(retryAfter, Date.now()) ?? retryAfterIn(words, Date.now())
    const limited = status === 429 || /urn:\S*acme:error:rateLimited|^(?:acme\.\w+: )?429\b/i.test(words)
    return limited ? { kind: 'rate-limited', retryAfterMs: said, words } : { kind: 'refused', words }
  }
}

/** In Let's Encrypt's form: `retry after 2026-11-24 12:00:00 UTC`. */
function retryAfterIn(words: string, now: number): number | undefined {
  const [, day, time] = /retry after (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/.exec(words) ?? []
  return day === undefined ? undefined : Math.max(0, Date.parse(`${day}T${time}Z`) - now)
}
