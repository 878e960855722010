import { createPrivateKey, type X509Certificate } from 'node:crypto'
import { type Certificate, certificateOf, leafOf, renewalOf } from './certificate.ts'
import { describe } from '../lib/errors.ts'
import { type Problem, problem } from './problem.ts'

/** The two keys of a TLS Secret that matter. */
export type TlsSecret = { readonly certificate: Buffer | undefined; readonly key: Buffer | undefined }

/**
 * The state of a TLS Secret. `empty`: its owner has created it, and nothing was issued yet. `unfit`: its content is not
 * a certificate and key for this name. `due`: valid, but past its renewal time.
 */
export type Verdict =
  | { readonly kind: 'good' | 'due' | 'expired'; readonly certificate: Certificate }
  | { readonly kind: 'empty' }
  | { readonly kind: 'unfit'; readonly problem: string }

/** How long a renewal may take after it was due, as a fraction of the lifetime: there may be failures on the way. */
const grace = 1 / 30

/** Inspects the Secret of a name at `now`, milliseconds since 1970. Pure; the texts reveal nothing of the key. */
export function inspectSecret(domain: string, secret: TlsSecret, now: number): Verdict {
  const [pem, key] = [secret.certificate?.toString('latin1') ?? '', secret.key?.toString('latin1') ?? '']
  if (pem === '' && key === '') return { kind: 'empty' }
  if (pem === '' || key === '') return unfit(`it lacks ${pem === '' ? 'tls.crt' : 'tls.key'}, and has the other`)
  let leaf: X509Certificate
  try {
    leaf = leafOf(pem)
  } catch (error) {
    return unfit(`tls.crt: ${describe(error)}`)
  }
  if (leaf.checkHost(domain, { subject: 'never' }) === undefined) {
    return unfit(`its certificate is for ${namesOf(leaf)}`)
  }
  const fits = keyFits(leaf, key)
  if (fits === undefined) return unfit('its tls.key cannot be read')
  if (!fits) return unfit('its key is not that of its certificate')
  const certificate = certificateOf(leaf)
  if (now >= certificate.to.getTime()) return { kind: 'expired', certificate }
  const lifetime = certificate.to.getTime() - certificate.from.getTime()
  return { kind: now >= renewalOf(certificate) + lifetime * grace ? 'due' : 'good', certificate }
}

const unfit = (what: string): Verdict => ({ kind: 'unfit', problem: what })

/** Undefined if it is not a key. */
function keyFits(leaf: X509Certificate, pem: string): boolean | undefined {
  try {
    return leaf.checkPrivateKey(createPrivateKey(pem))
  } catch {
    return undefined
  }
}

function namesOf({ subjectAltName = '' }: X509Certificate): string {
  const names = subjectAltName.split(', ').map((name) => name.replace(/^DNS:/, ''))
  return names.join('') === '' ? 'no name' : names.slice(0, 5).join(', ').slice(0, 300)
}

/** The certificate in a Secret, if it can be served. */
export const storedIn = (verdict: Verdict | Problem): Certificate | undefined =>
  'kind' in verdict && (verdict.kind === 'good' || verdict.kind === 'due') ? verdict.certificate : undefined

/** What is wrong with a Secret. While a certificate is about to expire, the text changes once a day. */
export function verdictProblem(domain: string, verdict: Verdict | Problem, now: number): Problem | undefined {
  if (!('kind' in verdict)) return verdict
  if (verdict.kind === 'good') return undefined
  if (verdict.kind === 'empty') return problem('unissued', `there is no certificate for ${domain} in its Secret yet`)
  if (verdict.kind === 'unfit') {
    return problem('secret-unfit', `Secret "${domain}" does not hold what it is for: ${verdict.problem}`)
  }
  const days = Math.floor(Math.abs(verdict.certificate.to.getTime() - now) / 86_400_000)
  const when = verdict.kind === 'due' ? `expires in ${days} days` : `expired ${days} days ago`
  return problem('expiring', `the certificate of ${domain} ${when}, and should have been renewed`)
}
