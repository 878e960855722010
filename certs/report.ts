import type { Certificate } from './certificate.ts'
import type { Problem, Reason } from './problem.ts'

/** Everything that is known about the certificate of one name. */
export type CertificateReport = {
  /** The valid one in the TLS Secret; it may be due for renewal. */
  readonly stored?: Certificate
  /** The one that tailscaled serves, if this replica is a reader. */
  readonly served?: Certificate
  /** Since when these two differ. */
  readonly behindSince?: Date
  readonly problem?: Problem
  /** Requests to issue or renew it. */
  readonly attempts: number
  readonly failures: ReadonlyMap<Reason, number>
  readonly succeededAt?: Date
  /** When the next request is made. */
  readonly nextAt?: Date
}

export const nothingKnown: CertificateReport = { attempts: 0, failures: new Map() }
