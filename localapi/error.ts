import { codeOf, CulvertError } from '../lib/errors.ts'

/** The system's error codes if nobody listens, or nothing comes back in time. */
const silences = new Set(['ENOENT', 'ECONNREFUSED', 'ETIMEDOUT'])

/** tailscaled answered with an error status. */
export class Refusal extends Error {
  readonly status: number
  /** Its message, without the status. */
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

/** A failed call of LocalAPI; code `localapi`. */
export class LocalApiError extends CulvertError {
  /** tailscaled is absent or does not answer at all; otherwise it answers, but not as documented. */
  readonly silent: boolean
  /** The error answer, if there was one. */
  readonly refusal: Refusal | undefined

  constructor(message: string, cause: unknown) {
    super('localapi', message, { cause })
    this.name = 'LocalApiError'
    this.silent = silences.has(codeOf(cause) ?? '')
    this.refusal = cause instanceof Refusal ? cause : undefined
  }
}
