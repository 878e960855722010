import { codeOf, CulvertError } from '../lib/errors.ts'

/** What the system calls it when nobody listens, or nothing comes back in time. */
const silences = new Set(['ENOENT', 'ECONNREFUSED', 'ETIMEDOUT'])

/** tailscaled answered with a status that is no success. */
export class Refusal extends Error {
  readonly status: number
  /** Its own words, without the status. */
  readonly words: string
  /** The header Retry-After. */
  readonly retryAfter: string | undefined

  constructor(status: number, words: string, retryAfter: string | undefined) {
    super(`${status}: ${words}`)
    this.status = status
    this.words = words
    this.retryAfter = retryAfter
  }
}

/** A call of LocalAPI that failed; code `localapi`. */
export class LocalApiError extends CulvertError {
  /** tailscaled is not there, or does not answer at all; otherwise it does, but not as documented. */
  readonly silent: boolean
  /** What it answered, where it did. */
  readonly refusal: Refusal | undefined

  constructor(message: string, cause: unknown) {
    super('localapi', message, { cause })
    this.name = 'LocalApiError'
    this.silent = silences.has(codeOf(cause) ?? '')
    this.refusal = cause instanceof Refusal ? cause : undefined
  }
}
