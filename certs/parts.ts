import type { Limited } from '../lib/limit.ts'
import type { CertificateAnswer } from '../localapi/certificate.ts'
import type { TlsSecret } from './inspect.ts'
import type { Problem } from './problem.ts'
import type { CertificateReport } from './report.ts'
import type { Pace, IssueState } from './schedule.ts'

/** The dependencies of managing the certificate of one name. Nothing in it rejects unless `signal` aborts. */
export type Parts = {
  readonly domain: string
  /** What in the tailnet blocks a certificate now; undefined if nothing does. */
  readonly blocker: () => Problem | undefined
  /** The content of the TLS Secret, or why it cannot be read. */
  readonly readSecret: (signal: AbortSignal) => Promise<TlsSecret | Problem>
  /** Asks tailscaled for a certificate that is valid for at least this many milliseconds. */
  readonly ask: (minValidityMs: number, signal: AbortSignal) => Promise<CertificateAnswer>
  readonly report: (change: (now: CertificateReport) => CertificateReport) => void
  /** Pause between two inspections of a good Secret, and of one that is not, in milliseconds. */
  readonly inspectEvery: { readonly good: number; readonly bad: number }
}

/** What an issuer needs in addition. */
export type IssuerParts = Parts & {
  /** Why tailscaled could not write a certificate to the Secret; undefined if it could. */
  readonly refusesWrites: (signal: AbortSignal) => Promise<Problem | undefined>
  /** Runs `work` when no other name is being processed. */
  readonly serially: Limited
  /** The state of earlier runs. */
  readonly remembered: IssueState | undefined
  readonly remember: (state: IssueState) => void
  readonly pace: Pace
}

/** Inspects everything once and does what is due; gives the pause until the next step, in milliseconds. */
export type Step = (signal: AbortSignal) => Promise<number>

export const isProblem = (value: object): value is Problem => 'reason' in value
