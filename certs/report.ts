import type { Certificate } from './certificate.ts'
import type { Problem, Reason } from './problem.ts'

/** All that is known of the certificate for one name. */
export type CertificateReport = {
  /** The good one in the TLS Secret; it may be due. */
  readonly stored?: Certificate
  /** The one that tailscaled serves, where this replica reads only. */
  readonly served?: Certificate
  /** Since when these two differ. */
  readonly behindSince?: Date
  readonly problem?: Problem
  /** Requests to have one issued, or renewed where that is due. */
  readonly attempts: number
  readonly failures: ReadonlyMap<Reason, number>
  readonly succeededAt?: Date
  /** When the next request is made. */
  readonly nextAt?: Date
}

export const nothingKnown: CertificateReport = { attempts: 0, failures: new Map() }
