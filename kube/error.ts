import { conceal } from '../lib/conceal.ts'
import { CulvertError } from '../lib/errors.ts'
import { parseStatus } from './schemas.ts'

type Details = {
  readonly status?: number
  readonly reason?: string | undefined
  readonly retryable: boolean
  readonly cause?: unknown
  readonly remedy?: string | undefined
}

/**
 * A failed call of the Kubernetes API; code `kubernetes`. Its texts contain neither the token nor values of a Secret.
 */
export class KubeError extends CulvertError {
  /** HTTP status of the answer; undefined if there was none. */
  readonly status: number | undefined
  /** Kubernetes' own word for it, such as `AlreadyExists`. */
  readonly reason: string | undefined
  /**
   * Whether the API has not decided: it did not answer, is unwell, or something else answered. The same call may
   * succeed later without a change here. Refusals, conflicts and missing files are not retryable.
   */
  readonly retryable: boolean

  constructor(message: string, { status, reason, retryable, cause, remedy }: Details) {
    super('kubernetes', message, { cause, ...(remedy !== undefined && { remedy }) })
    this.name = 'KubeError'
    this.status = status
    this.reason = reason
    this.retryable = retryable
  }

  override get kind(): string {
    return this.reason ?? (this.status === undefined ? 'Unanswered' : `Status${this.status}`)
  }
}

/** The request in RBAC's terms: a verb, and an object such as `Secret "a" in namespace "b"`. */
export type Subject = { readonly verb: string; readonly object: string }

const remedies: Readonly<Record<number, (subject: Subject) => string>> = {
  401: () => "Its token must be one of this cluster's API server, for a service account that still exists.",
  403: ({ verb, object }) => `Grant the Pod's service account the verb ${verb} on ${object}.`,
  404: () => 'Create it, or correct its name.',
}

/** Whether the API refuses to make something since its namespace is being deleted. */
export const isTerminating = (text: string): boolean => text.includes('because it is being terminated')

/** The API answered with an error status. Texts in `hidden` are removed from its message. */
export function refusal(subject: Subject, status: number, body: string, hidden: readonly string[]): KubeError {
  const { message, reason } = parseStatus(body) ?? {}
  const said = conceal(message ?? '', hidden)
  const retryable = status < 400 || status === 408 || status === 429 || status >= 500
  const how = `${retryable ? 'failed' : 'was refused'}: ${status} ${said.slice(0, 500)}`.trim()
  // Nothing that is granted changes that.
  const remedy = isTerminating(said) ? undefined : remedies[status]?.(subject)
  return new KubeError(`${subject.verb} of ${subject.object} ${how}`, {
    status,
    reason: reason ?? undefined,
    retryable,
    remedy,
  })
}

/** No complete answer came from `url`. */
export const unanswered = ({ verb, object }: Subject, url: string, cause: unknown): KubeError =>
  new KubeError(`${verb} of ${object} failed`, {
    retryable: true,
    cause,
    remedy: `Check that the Pod reaches ${url} (DNS, network policies), and that ca.crt is of that API server.`,
  })

/** The API answered with a success status, but not as documented. */
export const misunderstood = ({ verb, object }: Subject, status: number, cause: unknown): KubeError =>
  new KubeError(`${verb} of ${object}: the answer cannot be used`, {
    status,
    retryable: true,
    cause,
    remedy: 'Check that the Kubernetes API itself answers, not a proxy on the way.',
  })
