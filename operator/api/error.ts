import { CulvertError } from '../../lib/errors.ts'

/** A part of the API that not every control server has. */
export type Feature = 'keys' | 'devices' | 'vip-services' | 'settings' | 'dns' | 'policy' | 'token-exchange' | 'oauth'

/** Why a call of the API failed. */
export type Problem =
  | 'credentials' // they are missing, or the server refuses them
  | 'forbidden' // they are good, but not for this: a scope is missing, or tags are not owned by theirs (403)
  | 'refused' // the request cannot be done, such as a key with tags that the policy does not have (other 4xx)
  | 'no-route' // the server does not have this part of the API
  | 'limited' // too many requests (429)
  | 'unavailable' // no answer, an error of the server (5xx), or not the documented answer

type Details = {
  readonly problem: Problem
  readonly status?: number | undefined
  readonly retryAfterMs?: number | undefined
  readonly feature?: Feature | undefined
  readonly cause?: unknown
  readonly remedy?: string | undefined
  readonly isLate?: boolean
}

/** A failed call of Tailscale's HTTP API; code `tailscale-api`. Its texts contain neither keys nor credentials. */
export class ApiError extends CulvertError {
  readonly problem: Problem
  /** HTTP status of the answer; undefined if there was none. */
  readonly status: number | undefined
  /** How long the server asks to wait before the next call, in milliseconds; undefined if it does not. */
  readonly retryAfterMs: number | undefined
  /** What the request was for; undefined if no answer came. */
  readonly feature: Feature | undefined
  /** No answer came within the time that a call has. */
  readonly isLate: boolean
  /** With `no-route`: what the server does not have. */
  readonly lacks: Feature | undefined

  constructor(message: string, { problem, status, retryAfterMs, feature, cause, remedy, isLate = false }: Details) {
    super('tailscale-api', message, { cause, ...(remedy !== undefined && { remedy }) })
    this.name = 'ApiError'
    this.problem = problem
    this.status = status
    this.retryAfterMs = retryAfterMs
    this.feature = feature
    this.isLate = isLate
    this.lacks = problem === 'no-route' ? feature : undefined
  }

  override get kind(): string {
    return `${this.code}: ${this.problem}`
  }

  /** Whether the same call may succeed later without a change of anybody's input. */
  get retryable(): boolean {
    return this.problem === 'limited' || this.problem === 'unavailable'
  }
}
